/**
 * The engine's certificates on the host: the CA's, its own, and its key.
 */
import { createHash } from 'node:crypto'
import type { KeyPair } from '../../shared/certificates.ts'
import { hostPaths } from './host-paths.ts'
import { placeFiles, type Remote, runScript } from './remote.ts'

export interface EngineCertificates {
  ca: string
  server: KeyPair
}

/** Whether the host has exactly these, readable by root alone where they must be. */
export async function areCertificatesRight(
  remote: Remote,
  certificates: EngineCertificates,
  signal?: AbortSignal,
): Promise<boolean> {
  const wanted = filesOf(certificates)
  const script = 'for path in "$@"; do sha256sum < "$path"; stat -c %a "$path"; done 2>/dev/null; true'
  const paths = wanted.map(({ path }) => path)
  const there = await runScript(remote, script, paths, { signal })
  const expected = wanted.map(({ text, mode }) => {
    return `${createHash('sha256').update(text).digest('hex')}  -\n${mode.toString(8)}\n`
  })
  return there === expected.join('')
}

export async function installCertificates(
  remote: Remote,
  certificates: EngineCertificates,
  signal?: AbortSignal,
): Promise<void> {
  await placeFiles(remote, filesOf(certificates), signal)
}

function filesOf({ ca, server }: EngineCertificates): { path: string; text: string; mode: number }[] {
  return [
    { path: hostPaths.key, text: server.key, mode: 0o600 },
    { path: hostPaths.cert, text: server.cert, mode: 0o644 },
    { path: hostPaths.ca, text: ca, mode: 0o644 },
  ]
}
