/** What the host has to give to containers: processors and memory nodes. */
import { existsSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { controllerFolder } from '../runtime/cgroups/hierarchy.ts'
import type { ContainerContext } from './context.ts'

export interface HostCpus {
  count: number
  /** "0-3": those that containers may be bound to, as the kernel lists them; undefined where it does not say. */
  cpus?: string
  mems?: string
}

export function hostCpus({ features, cgroup }: Pick<ContainerContext, 'features' | 'cgroup'>): HostCpus {
  const folder = controllerFolder(features.cgroups, 'cpuset', cgroup.parent)
  const read = (name: string) => {
    const file = `${folder}/cpuset.${name}${features.cgroups.version === 2 ? '.effective' : ''}`
    return folder && existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
  }
  return { count: cpus().length, cpus: read('cpus'), mems: read('mems') }
}

/** Whether all numbers of a list such as "0-2,4" are in another. */
export function isWithin(list: string, available: string): boolean {
  const there = rangesOf(available)
  return rangesOf(list).every(([first, last]) => {
    for (let at = first; at <= last; ) {
      const range = there.find(([from, to]) => from <= at && at <= to)
      if (!range) return false
      at = range[1] + 1
    }
    return true
  })
}

function rangesOf(list: string): [first: number, last: number][] {
  return list
    .split(',')
    .filter(Boolean)
    .map((range) => {
      const [first = '', last = first] = range.split('-')
      return [Number(first), Number(last)]
    })
}
