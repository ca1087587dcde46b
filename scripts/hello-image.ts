/**
 * The image of templates/hello, made on the spot from what this machine has: busybox, the pinned node with the
 * libraries it needs, and the two small programs of the template. No registry is asked.
 */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { makeImageArchive } from '../src/engine/images/archive.ts'
import { filesOfProgram } from '../src/engine/images/archive-sources.ts'
import { openApp } from '../src/machine/context.ts'
import { findCommand } from '../src/machine/drivers/local/tool.ts'
import { EngineClient } from '../src/machine/engine-api.ts'
import { requireCredentials } from '../src/machine/pki/authority.ts'
import { isFailure } from '../src/shared/errors.ts'

const image = 'tsmachine/hello:latest'
const programs = ['web.mjs', 'counter.mjs']
/** Tells whether an engine has the image of today's programs. */
const label = 'com.tsmachine.hello'
const loadTimeoutMs = 120_000

interface ImageInspect {
  Config?: { Labels?: Record<string, string> }
}

/**
 * Loads the image into the engine of a machine of the storage, unless it has it.
 * @returns whether it was loaded
 * @throws E_ENGINE_*, E_ARCHIVE_SOURCE
 */
export async function ensureHelloImage(machine: string, template: string): Promise<boolean> {
  const { store } = openApp({ reporter: silent })
  const { engine } = await store.get(machine)
  const client = await EngineClient.open(engine!, await requireCredentials(store))
  try {
    const wanted = fingerprint(template)
    if ((await labelOf(client)) === wanted) return false
    const body = Readable.from(await archiveOf(template, wanted), { objectMode: false })
    await client.call('POST', '/images/load?quiet=1', { body, timeoutMs: loadTimeoutMs })
    if ((await labelOf(client)) !== wanted) throw new Error(`${machine} did not take the image ${image}`)
    return true
  } finally {
    await client.close()
  }
}

async function labelOf(client: EngineClient): Promise<string | undefined> {
  try {
    return (await client.call<ImageInspect>('GET', `/images/${image}/json`)).Config?.Labels?.[label]
  } catch (error) {
    if (isFailure(error, 'E_ENGINE_ERROR')) return undefined
    throw error
  }
}

function fingerprint(template: string): string {
  const hash = createHash('sha256').update(process.version)
  for (const name of programs) hash.update(readFileSync(join(template, name)))
  return hash.digest('hex').slice(0, 16)
}

async function archiveOf(template: string, fingerprint: string): Promise<AsyncGenerator<Buffer>> {
  const busybox = findCommand('busybox')
  if (!busybox)
    throw new Error('busybox is missing: apt-get install -y --no-install-recommends busybox-static')
  return makeImageArchive({
    layers: [
      [
        ...(await filesOfProgram(busybox, 'bin/busybox')),
        ...[
          'sh',
          'echo',
          'sleep',
          'wget',
          'ls',
          'cat',
          'ps',
          'ip',
          'nslookup',
          'true',
          'false',
          'env',
          'vi',
          'top',
        ].map((name) => ({
          type: 'symlink' as const,
          path: `bin/${name}`,
          target: 'busybox',
        })),
        ...(await filesOfProgram(process.execPath, 'usr/bin/node')),
        { type: 'folder', path: 'tmp', mode: 0o1777 },
      ],
      programs.map((name) => ({ type: 'file', path: `srv/${name}`, source: join(template, name) })),
    ],
    config: {
      Env: ['PATH=/usr/bin:/bin'],
      Cmd: ['sh'],
      Labels: { [label]: fingerprint },
    },
    tags: [image],
    // One time for all hosts, so that the image is the same on each.
    created: statSync(process.execPath).mtime.toISOString(),
  })
}

const nothing = () => undefined
const silent = { plan: nothing, begin: nothing, progress: nothing, end: nothing, failed: nothing }
