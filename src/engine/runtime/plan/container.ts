/**
 * From config.json to a tape: what a container's first process does, step by step. Pure: nothing is made
 * here. The steps up to `clone` are the keeper's, then come the container's, then the keeper's vigil.
 */
import { type Arch, hostArch } from '../../kernel/arch.ts'
import * as c from '../../kernel/constants.ts'
import { Tape } from '../../kernel/tape.ts'
import type { Spec } from '../spec.ts'
import { type CgroupPlan, openCgroupV2, planCgroup, planJoinV1 } from './cgroup.ts'
import { planConsole, planConsolePair, planReceiveConsole } from './console.ts'
import { type Features, firstExtraFd, keeperFd, type PlanContext } from './context.ts'
import { planDevices } from './devices.ts'
import { planClone, planReport, planShedding, planVigil, reserveStarted } from './keeper.ts'
import { planMasks } from './masks.ts'
import { planMounts } from './mounts.ts'
import { type Namespaces, namespacesOf, planIdentityOfHost, planJoin, planKeyring } from './namespaces.ts'
import { openDestination } from './paths.ts'
import { type ProcessPlan, planProcess } from './process.ts'
import { type OverlayRoot, planPivot, planRoot } from './root.ts'
import { planSysctls } from './sysctl.ts'

export interface ContainerPlan {
  /** Names the keeper (for `ps` and the sweep) and the keyring. */
  id: string
  spec: Spec
  features: Features
  cgroup?: CgroupPlan
  /** A root to be mounted from layers; spec.root.path when left out. */
  overlay?: OverlayRoot
  seccomp?: ProcessPlan['seccomp']
  /** How many descriptors the process is given from `firstExtraFd` on, for paths like /proc/self/fd/8. */
  extraFds?: number
  /** Without a keeper: the container becomes its starter's sibling and waits at this FIFO (the OCI command). */
  fifo?: string
  /** With `fifo`: the connected socket that the terminal's master goes to, among the extra descriptors. */
  consoleFd?: number
  arch?: Arch
}

/** @throws E_SPEC for a specification that can't be met, before anything is made */
export function planContainer(plan: ContainerPlan): Tape {
  const { spec, features } = plan
  const namespaces = namespacesOf(spec)
  // With a keeper, a terminal's gate follows the other descriptors.
  const gateFd = spec.process?.terminal && !plan.fifo ? firstExtraFd + (plan.extraFds ?? 0) : undefined
  const extra = Array.from({ length: (plan.extraFds ?? 0) + (gateFd ? 1 : 0) }, (_, i) => firstExtraFd + i)
  const tape = new Tape(plan.arch ?? hostArch(), [0, 1, 2, ...Object.values(keeperFd), ...extra])
  const context: PlanContext = { tape, features }
  tape.closeRange(firstExtraFd + extra.length)
  planShedding(tape)
  if (plan.cgroup) planCgroup(context, plan.cgroup)
  planJoin(
    context,
    namespaces.joined.filter((j) => j.type === 'pid'),
  )
  const console = spec.process?.terminal && !plan.fifo ? planConsolePair(tape) : undefined
  const cgroupFd =
    plan.cgroup && features.cgroups.version === 2 ? openCgroupV2(context, plan.cgroup.path) : undefined
  const started = reserveStarted(tape)
  const parent = tape.label()
  const { pidfd } = planClone(
    tape,
    { flags: namespaces.cloneFlags | (plan.fifo ? c.CLONE_PARENT : 0), started, cgroupFd },
    parent,
  )
  const atClone = tape.fds()
  planInside(context, plan, namespaces, console?.child ?? plan.consoleFd, gateFd)
  tape.place(parent)
  tape.setFds(new Set([...atClone, pidfd]))
  if (console) {
    tape.close(console.child)
    planReceiveConsole(tape, console.keeper, keeperFd.stdin)
  }
  planReport(tape, started)
  if (plan.fifo) tape.call('leave', 'exit_group', [0])
  else planVigil(tape, pidfd, true)
  return tape
}

/** The container's own side. */
function planInside(
  context: PlanContext,
  plan: ContainerPlan,
  namespaces: Namespaces,
  consoleSocket: number | undefined,
  gateFd: number | undefined,
): void {
  const { tape, features } = context
  const { spec } = plan
  tape.call('start a session', 'setsid')
  if (plan.cgroup && features.cgroups.version === 1) planJoinV1(context, plan.cgroup.path)
  if (namespaces.ownCgroup) tape.call('make a cgroup namespace', 'unshare', [c.CLONE_NEWCGROUP])
  const fifo = plan.fifo ? openFifo(tape, plan.fifo) : undefined
  planJoin(
    context,
    namespaces.joined.filter((j) => j.type !== 'pid'),
  )
  planKeyring(context, `_ses.${plan.id}`)
  planIdentityOfHost(context, spec, namespaces)
  const root = planRoot(context, spec, plan.overlay)
  planMounts(context, root, spec)
  planDevices(context, root, spec)
  if (consoleSocket !== undefined) planConsole(context, root, spec.process!, consoleSocket)
  planSysctls(context, root, spec, namespaces)
  planMasks(context, root, spec)
  planWorkingFolder(tape, root, spec)
  planPivot(context, root, spec)
  planProcess(context, { process: spec.process!, seccomp: plan.seccomp, waitAt: fifo, gateFd })
}

/** Docker and runc make the working folder where the image has none. */
function planWorkingFolder(tape: Tape, root: number, spec: Spec): void {
  const cwd = spec.process?.cwd
  if (cwd?.startsWith('/') && cwd !== '/') tape.close(openDestination(tape, root, cwd, 'directory'))
}

/** For reading and writing, so that opening does not wait and the pipe has no end while we live (fifo(7)). */
function openFifo(tape: Tape, path: string): number {
  return tape.callFd('open the start signal', 'openat', [
    c.AT_FDCWD,
    tape.string(path),
    c.O_RDWR | c.O_CLOEXEC,
    0,
  ])
}
