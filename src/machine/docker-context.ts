/**
 * The docker command's own list of engines: a context for each machine, so that `docker --context m1 ps` works
 * with nothing to set. Written as the docker command itself stores it.
 */
import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { readIfThere, writeFileAtomic } from '../shared/files.ts'
import type { ClientCredentials } from './pki/authority.ts'

export interface DockerContext {
  name: string
  /** The machine's id: contexts with another one, or with none, are somebody else's and stay as they are. */
  machineId: string
  url: string
  credentials: ClientCredentials
}

interface Meta {
  Name: string
  Metadata: { Description?: string; 'tsmachine.id'?: string }
  Endpoints: { docker?: { Host?: string; SkipTLSVerify?: boolean } }
}

/** Whether the context is there as it should be. */
export async function isContextRight(context: DockerContext): Promise<boolean> {
  const { meta, tls } = pathsFor(context.name)
  if ((await readIfThere(meta)) !== metaText(context)) return false
  const { ca, cert, key } = context.credentials
  const files = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readIfThere(join(tls, name))),
  )
  return [ca, cert, key].every((text, i) => files[i] === text)
}

/**
 * Writes the context.
 * @returns false where another one of the same name is there, which is left alone
 */
export async function writeContext(context: DockerContext): Promise<boolean> {
  const { meta, metaFolder, tls } = pathsFor(context.name)
  const owner = await ownerOf(meta)
  if (owner !== undefined && owner !== context.machineId) return false
  await mkdir(metaFolder, { recursive: true })
  await mkdir(tls, { recursive: true, mode: 0o700 })
  const { ca, cert, key } = context.credentials
  await writeFileAtomic(join(tls, 'ca.pem'), ca)
  await writeFileAtomic(join(tls, 'cert.pem'), cert)
  await writeFileAtomic(join(tls, 'key.pem'), key)
  await writeFileAtomic(meta, metaText(context), 0o644)
  return true
}

/** Takes the machine's context away; none there, or somebody else's, is fine. */
export async function removeContext(name: string, machineId: string): Promise<void> {
  const { meta, metaFolder, tlsFolder } = pathsFor(name)
  if ((await ownerOf(meta)) !== machineId) return
  await rm(tlsFolder, { recursive: true, force: true })
  await rm(metaFolder, { recursive: true, force: true })
}

/** The machine that the context is of, "" where it is none of ours, undefined where there is no context. */
async function ownerOf(meta: string): Promise<string | undefined> {
  const text = await readIfThere(meta)
  if (text === undefined) return undefined
  try {
    return (JSON.parse(text) as Meta).Metadata?.['tsmachine.id'] ?? ''
  } catch (error) {
    if (error instanceof SyntaxError) return ''
    throw error
  }
}

function metaText({ name, machineId, url }: DockerContext): string {
  const meta: Meta = {
    Name: name,
    Metadata: { Description: `tsmachine ${name}`, 'tsmachine.id': machineId },
    Endpoints: { docker: { Host: url, SkipTLSVerify: false } },
  }
  return JSON.stringify(meta)
}

function pathsFor(name: string) {
  const contexts = join(process.env.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'contexts')
  const id = createHash('sha256').update(name).digest('hex')
  const metaFolder = join(contexts, 'meta', id)
  const tlsFolder = join(contexts, 'tls', id)
  return { metaFolder, meta: join(metaFolder, 'meta.json'), tlsFolder, tls: join(tlsFolder, 'docker') }
}
