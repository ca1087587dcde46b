/**
 * What is in the kernel and in the folders that hosts and engines use, to be compared before and after: whatever
 * a test leaves on the machine shows as a difference, whether or not anybody thought of it.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { parseStat } from '../../src/machine/drivers/local/process.ts'

export interface Census {
  processes: string[]
  mounts: string[]
  namespaces: string[]
  cgroups: string[]
  tables: string[]
  links: string[]
  files: string[]
}

/** Of processes only those count that are no descendants of this one. */
export function takeCensus(): Census {
  const lines = (command: string, ...args: string[]) =>
    execFileSync(command, args, { encoding: 'utf8' }).split('\n').filter(Boolean).sort()
  const processes = listProcesses()
  return {
    processes: processes.map(({ pid, name, startTime }) => `${pid} ${name} ${startTime}`),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ').slice(3, 5).join(' on '))
      .filter(Boolean)
      .sort(),
    namespaces: [
      ...lines('ip', 'netns').map((line) => `netns ${line.split(' ')[0]}`),
      ...new Set(processes.flatMap(({ pid }) => namespacesOf(pid))),
    ].sort(),
    cgroups: globSync('/sys/fs/cgroup/**/', { exclude: (name) => name === '.' }).sort(),
    tables: lines('nft', 'list', 'tables'),
    links: lines('ip', '-o', 'link').map((line) => line.split(': ')[1]!),
    files: ['/run/tsmachine', '/run/netns', '/etc/tshost', '/opt/tsmachine', '/var/lib/tshost', '/run/tshost']
      .filter((folder) => existsSync(folder))
      .flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`))
      .sort(),
  }
}

/**
 * What is there after and was not before, and the other way round, each with its kind. Processes of others may
 * end when they like.
 */
export function compareCensus(before: Census, after: Census): string[] {
  return (Object.keys(before) as (keyof Census)[]).flatMap((kind) => [
    ...after[kind].filter((item) => !before[kind].includes(item)).map((item) => `new in ${kind}: ${item}`),
    ...before[kind]
      .filter((item) => kind !== 'processes' && kind !== 'namespaces' && !after[kind].includes(item))
      .map((item) => `gone from ${kind}: ${item}`),
  ])
}

interface Process {
  pid: number
  name: string
  startTime: string
}

function listProcesses(): Process[] {
  const all = new Map<number, Process & { parent: number }>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const text = readFileSync(`/proc/${name}/stat`, 'utf8')
      const { state, startTime } = parseStat(text)
      const parent = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
      // Kernel threads come and go as they like; a zombie is its parent's affair.
      if (state === 'Z' || parent === 2 || name === '2') continue
      const title = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'))
      all.set(Number(name), { pid: Number(name), name: title, startTime: `${startTime}`, parent })
    } catch (error) {
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
  const isOurs = (pid: number): boolean => {
    if (pid === process.pid) return true
    const parent = all.get(pid)?.parent
    return parent !== undefined && parent !== 0 && isOurs(parent)
  }
  return [...all.values()].filter(({ pid }) => !isOurs(pid)).sort((a, b) => a.pid - b.pid)
}

function namespacesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/ns`).map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`))
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}
