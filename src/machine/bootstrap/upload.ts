/**
 * Bringing a bundle to a host: only parts that are not there with the right digest, compressed, checked on
 * arrival.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { formatBytes } from '../../shared/units.ts'
import { fail } from '../errors.ts'
import type { StepRun } from '../journal/step.ts'
import type { ExecResult } from '../ssh/connection.ts'
import { type Bundle, compressPart, type Part } from './bundle.ts'
import { hostPaths } from './host-paths.ts'
import type { HostFacts } from './probe.ts'
import { asRoot, type Remote, runScript } from './remote.ts'

/** Prints the digests of those parts that are there and whole. Arguments: the blobs' folder, digests. */
const presentScript = `
cd "$1" 2>/dev/null || exit 0
shift
for digest in "$@"; do
  [ -f "$digest" ] && [ "$(sha256sum < "$digest" | cut -c -64)" = "$digest" ] && echo "$digest"
done
true
`

/** The parts that the host lacks, or has damaged. */
export async function missingParts(remote: Remote, bundle: Bundle, signal?: AbortSignal): Promise<Part[]> {
  const digests = bundle.parts.map(({ sha256 }) => sha256)
  const present = await runScript(remote, presentScript, [hostPaths.blobs, ...digests], { signal })
  const there = new Set(present.trim().split('\n'))
  return bundle.parts.filter(({ sha256 }) => !there.has(sha256))
}

/** The exit code by which the script says that the digest differs. */
const damaged = 65
/** ... and that the disk is full. */
const full = 28

/** Reads the compressed part from stdin. Arguments: the blobs' folder, the digest, the decompressing command. */
const receiveScript = `
umask 022
mkdir -p "$1" && cd "$1" || exit ${full}
trap 'rm -f "$2.part"' EXIT
$3 > "$2.part" || { [ "$(df -Pk . | awk 'NR == 2 { print $4 }')" -lt 1024 ] && exit ${full}; exit 1; }
[ "$(sha256sum < "$2.part" | cut -c -64)" = "$2" ] || exit ${damaged}
chmod 0755 "$2.part" && sync -f "$2.part" 2>/dev/null
mv "$2.part" "$2"
`

/**
 * Sends the parts one after the other, telling how far it is.
 * @throws E_BUNDLE_DIGEST, E_DISK_FULL, E_REMOTE, E_SSH_LOST
 */
export async function uploadParts(
  remote: Remote,
  parts: readonly Part[],
  facts: HostFacts,
  cache: string,
  { signal, progress }: StepRun,
): Promise<void> {
  const compression = facts.commands.includes('zstd') ? 'zstd' : 'gzip'
  progress('compressing')
  const files = await Promise.all(
    parts.map(async (part) => {
      const path = await compressPart(part, compression, cache)
      return { part, path, bytes: (await stat(path)).size }
    }),
  )
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let sent = 0
  for (const { part, path } of files) {
    const counter = new Transform({
      transform(chunk: Buffer, _, done) {
        sent += chunk.length
        progress(progressLine(sent, total))
        done(null, chunk)
      },
    })
    const source = createReadStream(path, { highWaterMark: 256 * 1024 })
    const args = [hostPaths.blobs, part.sha256, `${compression} -dc`]
    const result = await remote.ssh.exec(asRoot(remote, ['sh', '-c', receiveScript, 'receive', ...args]), {
      stdin: source.pipe(counter),
      timeoutMs: 600_000,
      signal,
    })
    if (result.code !== 0) throw receiveFailure(result, remote, part)
  }
}

function receiveFailure(result: ExecResult, { ssh }: Remote, part: Part): Error {
  const { host } = ssh.target
  if (result.code === damaged) return fail('E_BUNDLE_DIGEST', { host, file: part.name })
  if (result.code !== full) return ssh.failure('receiving the bundle', result)
  const needed = formatBytes(part.bytes)
  return fail('E_DISK_FULL', { host, path: hostPaths.root, free: 'nothing', needed })
}

/** "[######--------------] 15.1MB of 52MB" */
export function progressLine(sent: number, total: number): string {
  const filled = total === 0 ? 20 : Math.round((sent / total) * 20)
  return `[${'#'.repeat(filled)}${'-'.repeat(20 - filled)}] ${formatBytes(sent)} of ${formatBytes(total)}`
}

/** Puts the bundle's folder together from its parts, all of them there. Arguments: root, digest, name, digest, ... */
const assembleScript = `set -e
cd "$1"
mkdir -p bundles
rm -rf "bundles/$2.new"
mkdir "bundles/$2.new"
target="bundles/$2"
shift 2
while [ $# -gt 0 ]; do
  ln "blobs/$2" "$target.new/$1"
  shift 2
done
rm -rf "$target"
mv "$target.new" "$target"
`

export async function assembleBundle(remote: Remote, bundle: Bundle, signal?: AbortSignal): Promise<void> {
  const pairs = bundle.parts.flatMap(({ name, sha256 }) => [name, sha256])
  await runScript(remote, assembleScript, [hostPaths.root, bundle.digest, ...pairs], { signal })
}

/** Whether the bundle's folder is there with all its names. */
export async function isAssembled(remote: Remote, bundle: Bundle, signal?: AbortSignal): Promise<boolean> {
  const script = 'cd "$1" 2>/dev/null && shift && for name in "$@"; do [ -f "$name" ] || exit 1; done'
  const names = bundle.parts.map(({ name }) => name)
  const argv = ['sh', '-c', script, 'tsmachine', `${hostPaths.bundles}/${bundle.digest}`, ...names]
  return (await remote.ssh.exec(argv, { signal })).code === 0
}
