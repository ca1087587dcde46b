/**
 * Docker's `User` ("name", "uid", "name:group", "uid:gid") by the passwd and group files of the root, after
 * moby/sys/user GetExecUser: a number is always an id; who is in passwd gets that line's group and home and,
 * where no group was asked for, the groups that list the name.
 */
import { fail } from './errors.ts'
import { readFileOf } from './root-file.ts'
import { RootView } from './root-view.ts'

export interface UserIdentity {
  uid: number
  gid: number
  /** Supplementary groups, the primary one first: without it a process could shed a group's denial (CVE-2022-36109). */
  groups: number[]
  home: string
}

export interface PasswdLine {
  name: string
  uid: number
  gid: number
  home: string
}

export interface GroupLine {
  name: string
  gid: number
  members: string[]
}

const largestId = 2 ** 31 - 1

/** Lines that are none are passed over, as everywhere. */
export function parsePasswd(text: string): PasswdLine[] {
  return linesOf(text).flatMap((fields) => {
    const [name = '', , uid = '', gid = '', , home = ''] = fields
    const ids = [toId(uid), toId(gid)]
    return name && ids[0] !== undefined && ids[1] !== undefined
      ? [{ name, uid: ids[0], gid: ids[1], home }]
      : []
  })
}

export function parseGroup(text: string): GroupLine[] {
  return linesOf(text).flatMap((fields) => {
    const [name = '', , gid = '', members = ''] = fields
    const id = toId(gid)
    return name && id !== undefined ? [{ name, gid: id, members: members.split(',').filter(Boolean) }] : []
  })
}

function linesOf(text: string): string[][] {
  return text
    .split('\n')
    .flatMap((line) => (line.trim() && !line.startsWith('#') ? [line.trim().split(':')] : []))
}

function toId(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= largestId ? Number(text) : undefined
}

/**
 * @param user as in an image's or container's `User`; "" is root
 * @param extraGroups names or ids of --group-add
 * @throws E_PASSWD in Docker's words, E_ID_RANGE
 */
export function findUser(
  user: string,
  extraGroups: string[],
  passwd: PasswdLine[],
  group: GroupLine[],
): UserIdentity {
  const [name = '', groupName = ''] = user.split(':')
  const line = passwd.find((one) =>
    name === '' || isNumber(name) ? one.uid === Number(name) : one.name === name,
  )
  const found = line ?? unlisted(name)
  const gid = groupName ? findGroup(groupName, group) : found.gid
  const listed =
    groupName || !line ? [] : group.filter((g) => g.members.includes(line.name)).map((g) => g.gid)
  const extra = extraGroups.map((one) => findGroup(one, group))
  return { uid: found.uid, gid, groups: [...new Set([gid, ...listed, ...extra])], home: found.home || '/' }
}

function unlisted(name: string): { uid: number; gid: number; home: string } {
  if (name !== '' && !isNumber(name)) throw fail('E_PASSWD', { kind: 'user', name })
  return { uid: checkId(name), gid: 0, home: '/' }
}

function findGroup(name: string, group: GroupLine[]): number {
  const line = group.find((one) => (isNumber(name) ? one.gid === Number(name) : one.name === name))
  if (line) return line.gid
  if (!isNumber(name)) throw fail('E_PASSWD', { kind: 'group', name })
  return checkId(name)
}

function isNumber(text: string): boolean {
  return /^[+-]?\d+$/.test(text)
}

function checkId(text: string): number {
  const id = Number(text)
  if (id < 0 || id > largestId) throw fail('E_ID_RANGE', { value: text })
  return id
}

/**
 * The same by the files of a root.
 * @param folders of the root's layers, highest first
 * @throws E_PASSWD, E_ID_RANGE, E_ROOT_FILE
 */
export function resolveUser(user: string, extraGroups: string[], folders: string[]): UserIdentity {
  using view = new RootView(folders)
  const read = (path: string) => readFileOf(view, path)?.toString('utf8') ?? ''
  return findUser(user, extraGroups, parsePasswd(read('etc/passwd')), parseGroup(read('etc/group')))
}
