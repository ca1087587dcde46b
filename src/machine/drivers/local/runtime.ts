/**
 * The OCI runtime that starts local hosts: an outside command with runc's command line.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fail } from '../../errors.ts'
import { findCommand, runTool } from './tool.ts'

/** Where a container and its runtime's state are. */
export interface OciContainer {
  id: string
  /** Folder with config.json. */
  bundle: string
  /** The runtime's --root. */
  state: string
}

/**
 * The words that begin a runtime's command line.
 * @param wanted --local-runtime; without it the first that this machine has
 * @throws E_PACKAGE_MISSING, E_OPTION
 */
export function runtimeCommand(wanted?: string): string[] {
  const names = wanted === undefined ? Object.keys(runtimes) : [wanted]
  if (wanted !== undefined && !Object.hasOwn(runtimes, wanted)) {
    const known = Object.keys(runtimes).join(', ')
    throw fail('E_OPTION', { option: '--local-runtime', why: `"${wanted}" is none of ${known}` })
  }
  for (const name of names) {
    const command = runtimes[name]!()
    if (command) return command
  }
  const missing = wanted ?? 'crun'
  throw fail('E_PACKAGE_MISSING', { commands: [`an OCI runtime (${missing})`], packages: [missing] })
}

const packageRoot = join(import.meta.dirname, '../../../..')

const runtimes: Record<string, () => string[] | undefined> = {
  tshost: () => [join(packageRoot, 'bin/tshost.js'), 'oci'],
  crun: () =>
    findCommand('crun') ? [...hidingEmptyHierarchy(), 'crun', '--cgroup-manager', 'cgroupfs'] : undefined,
  runc: () => (findCommand('runc') ? ['runc'] : undefined),
}

/** crun takes a machine with v1 controllers and an empty v2 hierarchy beside them for a v2 machine. */
function hidingEmptyHierarchy(): string[] {
  const unified = '/sys/fs/cgroup/unified'
  return existsSync(unified) ? ['unshare', '-m', 'sh', '-c', `umount ${unified}; exec "$@"`, 'crun'] : []
}

/**
 * Creates and starts the container; it goes on without us.
 * @param log file that gets its first process's output
 * @returns the pid of its first process
 */
export async function startContainer(
  command: string[],
  container: OciContainer,
  log: string,
): Promise<number> {
  await mkdir(container.state, { recursive: true, mode: 0o700 })
  const pidFile = join(container.bundle, 'pid')
  const base = [...command, '--root', container.state]
  await runLogged([...base, 'create', '--bundle', container.bundle, '--pid-file', pidFile, container.id], log)
  await runTool([...base, 'start', container.id])
  return Number(await readFile(pidFile, 'utf8'))
}

/** Removes what the runtime keeps of a container, and kills it where it still runs; none there is fine. */
export async function deleteContainer(command: string[], { id, state }: OciContainer): Promise<void> {
  if (!existsSync(join(state, id))) return
  await runTool([...command, '--root', state, 'delete', '--force', id])
}

/** The container inherits the output of `create`: it has to be a file, since a pipe would end with us. */
async function runLogged(argv: string[], log: string): Promise<void> {
  await mkdir(dirname(log), { recursive: true })
  const file = await open(log, 'w', 0o600)
  try {
    const [command, ...args] = argv as [string, ...string[]]
    const child = spawn(findCommand(command)!, args, { stdio: ['ignore', file.fd, file.fd], timeout: 30_000 })
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject).on('exit', resolve)
    })
    if (code !== 0) {
      const why = (await readFile(log, 'utf8')).trim().split('\n').at(-1) || `exit code ${code}`
      throw fail('E_TOOL', { command: argv.join(' '), why })
    }
  } finally {
    await file.close()
  }
}
