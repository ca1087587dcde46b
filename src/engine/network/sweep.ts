/** Takes away what an earlier daemon of this engine has left in the kernel and nothing wants any more. */
import { deleteLink, listLinks } from '../kernel/netlink-links.ts'
import type { HostDoors } from './context.ts'

/**
 * Removes this engine's devices, known by their names, except those that are wanted.
 * @returns the names of those that went
 */
export function sweepDevices({ socket, names, log }: HostDoors, wanted: ReadonlySet<string>): string[] {
  const orphans = listLinks(socket)
    .map(({ name }) => name)
    .filter((name) => names.isOwn(name) && !wanted.has(name))
  if (orphans.length === 0) return []
  socket.execute(orphans.map(deleteLink))
  log.info({ devices: orphans }, 'removed network devices that nothing uses')
  return orphans
}
