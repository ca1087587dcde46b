/**
 * Running things on the host as root, whoever we log in as.
 */
import type { ExecOptions, SshConnection } from '../ssh/connection.ts'

/** A host, and how to become root on it. */
export interface Remote {
  ssh: SshConnection
  isRoot: boolean
}

/** The same command as root. */
export function asRoot({ isRoot }: Remote, argv: readonly string[]): string[] {
  return isRoot ? [...argv] : ['sudo', '-n', ...argv]
}

/**
 * Runs a POSIX shell script as root; `args` are its $1, $2, ...
 * @returns its stdout
 * @throws E_REMOTE
 */
export async function runScript(
  remote: Remote,
  script: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<string> {
  return remote.ssh.run(asRoot(remote, ['sh', '-c', script, 'tsmachine', ...args]), options)
}

/**
 * Puts files on the host, as root's and with their modes: by SFTP into a folder of our own that nobody else
 * can read, then moved into place. Nothing of them is ever in an argument.
 */
export async function placeFiles(
  remote: Remote,
  files: readonly { path: string; text: string; mode: number }[],
  signal?: AbortSignal,
): Promise<void> {
  const folder = (await remote.ssh.run(['sh', '-c', 'umask 077; mktemp -d'], { signal })).trim()
  try {
    for (const [i, { text }] of files.entries()) await remote.ssh.writeFile(`${folder}/${i}`, text, 0o600)
    for (const [i, { path, mode }] of files.entries()) {
      await runScript(remote, placeScript, [`${folder}/${i}`, path, mode.toString(8)], { signal })
    }
  } finally {
    await remote.ssh.exec(['rm', '-rf', folder], { timeoutMs: 10_000 })
  }
}

/** The new file appears at once and whole, beside whatever was there. */
const placeScript = `set -e
mkdir -p "$(dirname "$2")"
install -m "$3" -o 0 -g 0 "$1" "$2.new"
mv "$2.new" "$2"
`
