/**
 * A further process in a running container: the keeper enters the container's PID namespace for its child,
 * the child joins the cgroup and the other namespaces in one call, and then it is like any first process.
 */
import { type Arch, hostArch } from '../../kernel/arch.ts'
import * as c from '../../kernel/constants.ts'
import { Tape } from '../../kernel/tape.ts'
import type { Process } from '../spec.ts'
import { openCgroupV2, planJoinV1 } from './cgroup.ts'
import { planConsolePair, planReceiveConsole, planTerminalOnly } from './console.ts'
import { type Features, firstExtraFd, keeperFd, type PlanContext } from './context.ts'
import { planClone, planReport, planShedding, planVigil, reserveStarted } from './keeper.ts'
import { planKeyring } from './namespaces.ts'
import { type ProcessPlan, planProcess } from './process.ts'

export interface ExecPlan {
  id: string
  process: Process
  features: Features
  /** The container's cgroup. */
  cgroupPath?: string
  /** Namespaces that the container does not share with us (CLONE_NEW* flags). */
  namespaceFlags: number
  seccomp?: ProcessPlan['seccomp']
  arch?: Arch
}

/** The container's first process, by pidfd: the one extra descriptor that the tape is given. */
export const execTargetFd = firstExtraFd

/** @throws E_SPEC */
export function planExec(plan: ExecPlan): Tape {
  const { process, features } = plan
  const gateFd = process.terminal ? execTargetFd + 1 : undefined
  const extra = gateFd ? [execTargetFd, gateFd] : [execTargetFd]
  const tape = new Tape(plan.arch ?? hostArch(), [0, 1, 2, ...Object.values(keeperFd), ...extra])
  const context: PlanContext = { tape, features }
  tape.closeRange(firstExtraFd + extra.length)
  planShedding(tape)
  const pidNamespace = plan.namespaceFlags & c.CLONE_NEWPID
  if (pidNamespace) tape.call("enter the container's PID namespace", 'setns', [execTargetFd, pidNamespace])
  const console = process.terminal ? planConsolePair(tape) : undefined
  const cgroupFd =
    plan.cgroupPath && features.cgroups.version === 2 ? openCgroupV2(context, plan.cgroupPath) : undefined
  const started = reserveStarted(tape)
  const parent = tape.label()
  const { pidfd } = planClone(tape, { flags: 0, started, cgroupFd }, parent)
  const atClone = tape.fds()
  tape.call('start a session', 'setsid')
  if (plan.cgroupPath && features.cgroups.version === 1) planJoinV1(context, plan.cgroupPath)
  planKeyring(context, `_ses.${plan.id}`)
  const others = (plan.namespaceFlags & ~c.CLONE_NEWPID) >>> 0
  if (others) tape.call("enter the container's namespaces", 'setns', [execTargetFd, others])
  if (console) planTerminalOnly(context, process, console.child)
  planProcess(context, { process, seccomp: plan.seccomp, gateFd })
  tape.place(parent)
  tape.setFds(new Set([...atClone, pidfd]))
  if (console) {
    tape.close(console.child)
    planReceiveConsole(tape, console.keeper, keeperFd.stdin)
  }
  planReport(tape, started)
  planVigil(tape, pidfd, false)
  return tape
}
