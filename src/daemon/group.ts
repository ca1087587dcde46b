import { readFileSync } from 'node:fs'

/** The id of a group of this host; root's where there is no such group. */
export function groupId(name: string): number {
  if (/^\d+$/.test(name)) return Number(name)
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((l) => l.startsWith(`${name}:`))
  return Number(line?.split(':')[2] ?? 0)
}
