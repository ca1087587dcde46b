/** Makes the container's cgroups, sets their limits, and puts a process into them: all by the tape. */
import * as c from '../../kernel/constants.ts'
import { errnos } from '../../kernel/errno.ts'
import { cgroupFolders, controllerFolder, type Hierarchy } from '../cgroups/hierarchy.ts'
import { type CgroupWrite, limitsV1, limitsV2 } from '../cgroups/limits.ts'
import type { Resources } from '../spec.ts'
import type { PlanContext } from './context.ts'

/** Where the container's cgroup is, and what a new one must inherit by hand. */
export interface CgroupPlan {
  path: string
  resources: Resources
  /** v1: a new cpuset has no CPUs and no memory nodes until somebody writes them; the parent's. */
  cpuset?: { cpus: string; mems: string }
  /** v2: descriptor (in the tape's process) of the loaded device program. */
  deviceProgramFd?: number
}

/** Makes the folders, children of folders that exist, and writes the limits. */
export function planCgroup(context: PlanContext, plan: CgroupPlan): void {
  const { tape, features } = context
  for (const folder of cgroupFolders(features.cgroups, plan.path)) {
    tape.call(`create cgroup ${folder}`, 'mkdirat', [c.AT_FDCWD, tape.string(folder), 0o755], {
      tolerate: { errno: errnos.EEXIST },
    })
  }
  for (const write of writesOf(features.cgroups, plan)) {
    const folder = controllerFolder(features.cgroups, write.controller, plan.path)
    if (folder) planWrite(context, `${folder}/${write.file}`, write)
  }
  if (plan.deviceProgramFd !== undefined) attachDeviceProgram(context, plan.path, plan.deviceProgramFd)
}

function writesOf(hierarchy: Hierarchy, plan: CgroupPlan): CgroupWrite[] {
  if (hierarchy.version === 2) return limitsV2(plan.resources)
  const inherited: CgroupWrite[] = plan.cpuset
    ? [
        { controller: 'cpuset', file: 'cpuset.cpus', value: plan.cpuset.cpus },
        { controller: 'cpuset', file: 'cpuset.mems', value: plan.cpuset.mems },
      ]
    : []
  return [...inherited, ...limitsV1(plan.resources)]
}

function planWrite({ tape }: PlanContext, path: string, write: CgroupWrite): void {
  const end = tape.label()
  const before = tape.fds()
  const fd = tape.callFd(
    `open ${path}`,
    'openat',
    [c.AT_FDCWD, tape.string(path), c.O_WRONLY | c.O_CLOEXEC, 0],
    write.optional ? { tolerate: { errno: errnos.ENOENT, to: end } } : {},
  )
  tape.call(`write ${write.value} to ${path}`, 'write', [
    fd,
    tape.string(write.value),
    Buffer.byteLength(write.value),
  ])
  tape.close(fd)
  tape.setFds(before)
  tape.place(end)
}

/**
 * v1: moves the calling process, which has one thread. By `tasks`, not `cgroup.procs`: a thread that moves
 * itself needs no lock over all processes, and that lock costs a grace period of RCU, some 10 ms.
 */
export function planJoinV1({ tape, features }: PlanContext, path: string): void {
  for (const folder of cgroupFolders(features.cgroups, path)) {
    const fd = tape.callFd(`open cgroup ${folder}`, 'openat', [
      c.AT_FDCWD,
      tape.string(`${folder}/tasks`),
      c.O_WRONLY | c.O_CLOEXEC,
      0,
    ])
    tape.call(`join cgroup ${folder}`, 'write', [fd, tape.string('0'), 1])
    tape.close(fd)
  }
}

/** v2: the folder's descriptor, for clone3's CLONE_INTO_CGROUP. */
export function openCgroupV2({ tape, features }: PlanContext, path: string): number {
  const folder = cgroupFolders(features.cgroups, path)[0]!
  return tape.callFd(`open cgroup ${folder}`, 'openat', [
    c.AT_FDCWD,
    tape.string(folder),
    c.O_RDONLY | c.O_DIRECTORY | c.O_CLOEXEC,
    0,
  ])
}

const BPF_PROG_ATTACH = 8
const BPF_CGROUP_DEVICE = 6
const BPF_F_ALLOW_MULTI = 2

function attachDeviceProgram(context: PlanContext, path: string, programFd: number): void {
  const { tape } = context
  const folder = openCgroupV2(context, path)
  const attr = Buffer.alloc(16)
  attr.writeUInt32LE(folder, 0)
  attr.writeUInt32LE(programFd, 4)
  attr.writeUInt32LE(BPF_CGROUP_DEVICE, 8)
  attr.writeUInt32LE(BPF_F_ALLOW_MULTI, 12)
  tape.call('attach the device filter', 'bpf', [BPF_PROG_ATTACH, tape.bytes(attr), attr.length])
  tape.close(folder)
}
