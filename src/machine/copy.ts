/**
 * `tsmachine scp`: the scp command with each machine's address, key and pinned host key filled in.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errnoOf } from '../shared/errors.ts'
import type { App } from './context.ts'
import { fail } from './errors.ts'
import { requireRunning } from './power.ts'
import type { SshAddress } from './record.ts'

/** One end of a copy: a path here, or one on a machine, perhaps as another user than its own. */
export interface CopyEnd {
  machine?: string
  user?: string
  path: string
}

export interface CopyOptions {
  recursive: boolean
  quiet: boolean
}

/**
 * Reads `[[USER@]MACHINE:]PATH`, as docker-machine does: `localhost:PATH` is a path here, and so is what has a
 * slash before its colon.
 */
export function parseCopyEnd(text: string): CopyEnd {
  const colon = text.indexOf(':')
  const slash = text.indexOf('/')
  if (colon <= 0 || (slash !== -1 && slash < colon)) return { path: text }
  const host = text.slice(0, colon)
  const at = host.lastIndexOf('@')
  const machine = host.slice(at + 1)
  const path = text.slice(colon + 1)
  if (machine === 'localhost') return { path: path || '.' }
  return { machine, path: path || '.', ...(at > 0 && { user: host.slice(0, at) }) }
}

/**
 * Copies files between machines and here.
 * @returns scp's own exit code
 * @throws E_MACHINE_UNKNOWN, E_MACHINE_STATE, E_OPTION where both ends are here, E_PACKAGE_MISSING
 */
export async function copyFiles(app: App, from: string, to: string, options: CopyOptions): Promise<number> {
  const ends = [parseCopyEnd(from), parseCopyEnd(to)]
  const hosts = await Promise.all(
    ends.map(async ({ machine }) => {
      return machine === undefined ? undefined : (await requireRunning(app, machine)).ssh!
    }),
  )
  if (hosts.every((host) => host === undefined)) {
    throw fail('E_OPTION', { option: 'SOURCE', why: 'name a machine on one side: MACHINE:PATH' })
  }
  const folder = await mkdtemp(join(tmpdir(), 'tsmachine-scp-'))
  try {
    const knownHosts = join(folder, 'known_hosts')
    const known = hosts.filter((host) => host !== undefined)
    await writeFile(knownHosts, known.flatMap(knownHostLines).join(''), { mode: 0o600 })
    return await runScp(scpArgs({ ends, hosts, knownHosts, options }), app.signal)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** scp's arguments; each host key is checked against the one that is recorded (ssh_config(5)). */
export function scpArgs({
  ends,
  hosts,
  knownHosts,
  options,
}: {
  ends: CopyEnd[]
  hosts: (SshAddress | undefined)[]
  knownHosts: string
  options: CopyOptions
}): string[] {
  const keys = [...new Set(hosts.flatMap((host) => (host?.keyPath === undefined ? [] : [host.keyPath])))]
  const needsAgent = hosts.some((host) => host !== undefined && host.keyPath === undefined)
  return [
    '-3',
    ...(options.recursive ? ['-r'] : []),
    ...(options.quiet ? ['-q'] : []),
    ...['-o', `UserKnownHostsFile=${knownHosts}`, '-o', 'GlobalKnownHostsFile=/dev/null'],
    ...['-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR'],
    ...(needsAgent ? [] : ['-o', 'IdentitiesOnly=yes']),
    ...keys.flatMap((key) => ['-i', key]),
    '--',
    ...ends.map((end, i) => (hosts[i] ? remoteName(end, hosts[i]) : localName(end.path))),
  ]
}

/** As a URI, which has room for a port; an absolute path has a slash of its own behind the URI's (scp(1)). */
function remoteName({ path, user }: CopyEnd, { host, port, user: own }: SshAddress): string {
  const address = host.includes(':') ? `[${host}]` : host
  const escaped = path.split('/').map(encodeURIComponent).join('/')
  return `scp://${encodeURIComponent(user ?? own)}@${address}:${port}/${escaped}`
}

/** What scp would take for a host, or for a flag, is named as what it is. */
function localName(path: string): string {
  return path.includes(':') || path.startsWith('-') ? `./${path}`.replace(/^\.\/\//, '/') : path
}

function knownHostLines({ host, port, hostKeys }: SshAddress): string[] {
  const name = port === 22 ? host : `[${host}]:${port}`
  return hostKeys.map((key) => `${name} ${key}\n`)
}

function runScp(args: string[], signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('scp', args, { stdio: 'inherit', signal })
    child.on('error', (error) => {
      const isMissing = errnoOf(error) === 'ENOENT'
      reject(
        isMissing ? fail('E_PACKAGE_MISSING', { commands: ['scp'], packages: ['openssh-client'] }) : error,
      )
    })
    child.on('close', (code) => resolve(code ?? 1))
  })
}
