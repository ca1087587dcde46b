/**
 * Keeping the engine running on the host: a systemd unit, a line in busybox init's table, or a process of its
 * own where there is neither.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { quoteArgs } from '../ssh/quote.ts'
import { hostPaths } from './host-paths.ts'
import type { InitSystem } from './probe.ts'
import { placeFiles, type Remote, runScript } from './remote.ts'

export interface ServiceOptions {
  init: InitSystem
  /** The bundle's digest. */
  bundle: string
  port: number
  /** The host lacks libraries that came with the bundle. */
  usesOwnLibraries?: boolean
  /** The certificates that the engine reads at its start; a change of theirs restarts it. */
  certificates: readonly string[]
}

export interface ServiceFile {
  path: string
  text: string
  mode: number
}

/** The engine's command line on the host. */
export function engineCommand({ bundle, port }: Pick<ServiceOptions, 'bundle' | 'port'>): string[] {
  const folder = `${hostPaths.bundles}/${bundle}`
  return [
    `${folder}/node`,
    `${folder}/tshost.mjs`,
    'daemon',
    '--host',
    `unix://${hostPaths.socket}`,
    '--host',
    `tcp://0.0.0.0:${port}`,
    '--tlsverify',
    '--tlscacert',
    hostPaths.ca,
    '--tlscert',
    hostPaths.cert,
    '--tlskey',
    hostPaths.key,
    '--data-root',
    hostPaths.dataRoot,
    '--exec-root',
    hostPaths.execRoot,
    '--pidfile',
    hostPaths.pidFile,
  ]
}

/** What stands for everything that the engine's start depends on: a running engine with another one is stale. */
export function configDigest(options: ServiceOptions): string {
  const hash = createHash('sha256').update(quoteArgs(engineCommand(options)))
  if (options.usesOwnLibraries) hash.update('own libraries')
  for (const text of options.certificates) hash.update(text)
  return hash.digest('hex').slice(0, 16)
}

/** The files that keep the engine running, out of templates/. */
export async function serviceFiles(options: ServiceOptions): Promise<ServiceFile[]> {
  const values = {
    config: configDigest(options),
    command: quoteArgs(engineCommand(options)),
    log: hostPaths.log,
    libraries: options.usesOwnLibraries ? `${hostPaths.bundles}/${options.bundle}` : '',
  }
  if (options.init === 'systemd') {
    return [{ path: hostPaths.unit, text: await fill('tshost.service', values), mode: 0o644 }]
  }
  return [{ path: hostPaths.start, text: await fill('tshost-start', values), mode: 0o755 }]
}

/** Whether the files are there as they should be, and the running engine was started with them. */
export async function isServiceRight(
  remote: Remote,
  options: ServiceOptions,
  signal?: AbortSignal,
): Promise<boolean> {
  const files = await serviceFiles(options)
  const digests = files.flatMap(({ path, text }) => [path, createHash('sha256').update(text).digest('hex')])
  const args = [configDigest(options), hostPaths.pidFile, await registration(options.init), ...digests]
  return (await runScript(remote, rightScript, args, { signal })).trim() === 'right'
}

/** Arguments: config digest, pid file, line of the inittab or "", then paths and digests. */
const rightScript = `
pid=$(cat "$2" 2>/dev/null) && [ -n "$pid" ] || exit 0
tr '\\0' '\\n' < "/proc/$pid/environ" 2>/dev/null | grep -qx "TSHOST_CONFIG=$1" || exit 0
[ -z "$3" ] || grep -qxF "$3" ${hostPaths.inittab} || exit 0
shift 3
while [ $# -gt 0 ]; do
  [ "$(sha256sum < "$1" 2>/dev/null | cut -c -64)" = "$2" ] || exit 0
  shift 2
done
echo right
`

/** Installs the files and (re)starts the engine; containers that run go on. */
export async function installService(
  remote: Remote,
  options: ServiceOptions,
  signal?: AbortSignal,
): Promise<void> {
  await placeFiles(remote, await serviceFiles(options), signal)
  const line = await registration(options.init)
  await runScript(remote, startScripts[options.init], [hostPaths.pidFile, line], {
    timeoutMs: 60_000,
    signal,
  })
}

/** Ends the engine and takes its files away; nothing there is fine. */
export async function removeService(remote: Remote, init: InitSystem): Promise<void> {
  const line = await registration(init)
  const leftovers = `rm -rf ${hostPaths.pidFile} ${hostPaths.socket} ${hostPaths.execRoot}`
  await runScript(remote, `${removeScripts[init]}\n${leftovers}`, [hostPaths.pidFile, line], {
    timeoutMs: 60_000,
  })
}

/** Ends the process of the pid file $1, and waits for up to fifteen seconds until it is gone. */
const endOldEngine = `
pid=$(cat "$1" 2>/dev/null)
if [ -n "$pid" ] && grep -q tshost "/proc/$pid/cmdline" 2>/dev/null; then
  kill -TERM "$pid"
  for i in $(seq 150); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null
fi
`

/** Arguments: the pid file, the inittab's line. */
const startScripts: Record<InitSystem, string> = {
  systemd: `set -e
systemctl daemon-reload
systemctl enable --quiet tshost.service
systemctl restart tshost.service
`,
  // Init starts the engine anew as soon as the old one ends.
  busybox: `
grep -qxF "$2" ${hostPaths.inittab} || echo "$2" >> ${hostPaths.inittab}
kill -HUP 1
${endOldEngine}
true
`,
  none: `${endOldEngine}
setsid ${hostPaths.start} </dev/null >/dev/null 2>&1 &
true
`,
}

const removeScripts: Record<InitSystem, string> = {
  systemd: `
systemctl disable --now --quiet tshost.service 2>/dev/null
rm -f ${hostPaths.unit}
systemctl daemon-reload
`,
  busybox: `
grep -vxF "$2" ${hostPaths.inittab} > ${hostPaths.inittab}.new
mv ${hostPaths.inittab}.new ${hostPaths.inittab}
kill -HUP 1
${endOldEngine}
rm -f ${hostPaths.start}
`,
  none: `${endOldEngine}
rm -f ${hostPaths.start}
`,
}

async function registration(init: InitSystem): Promise<string> {
  return init === 'busybox' ? (await fill('tshost-inittab', {})).trim() : ''
}

async function fill(name: string, values: Record<string, string>): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '../../../templates', name), 'utf8')
  return text.replace(/\{\{(\w+)\}\}/g, (_, key: string) => values[key]!)
}
