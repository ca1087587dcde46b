import { writeFileSync } from 'node:fs'
import type { Container } from './container.ts'

/**
 * Writes the files that a container's networks decide. In place: they are the sources of bind mounts, and a
 * file that is replaced would be seen by nobody inside.
 */
export function writeNetworkFiles(
  container: Pick<Container, 'folder'>,
  files: { hosts: string; resolvConf: string },
): void {
  writeFileSync(`${container.folder}/hosts`, files.hosts, { mode: 0o644 })
  writeFileSync(`${container.folder}/resolv.conf`, files.resolvConf, { mode: 0o644 })
}
