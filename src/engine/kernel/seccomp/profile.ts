/** A filter as the OCI runtime specification writes it (config-linux.md, "Seccomp"). */
export interface SeccompProfile {
  defaultAction: string
  defaultErrnoRet?: number
  /** SCMP_ARCH_* names; the native one alone when left out. */
  architectures?: string[]
  /** SECCOMP_FILTER_FLAG_* names. */
  flags?: string[]
  listenerPath?: string
  listenerMetadata?: string
  syscalls?: SeccompRule[]
}

export interface SeccompRule {
  names: string[]
  action: string
  errnoRet?: number
  args?: SeccompArg[]
}

export interface SeccompArg {
  /** 0 to 5. */
  index: number
  value: number | bigint
  /** The value compared with, for SCMP_CMP_MASKED_EQ, where `value` is the mask. */
  valueTwo?: number | bigint
  op: string
}

const EPERM = 1
const actionBase: Record<string, number> = {
  SCMP_ACT_KILL: 0x00000000,
  SCMP_ACT_KILL_THREAD: 0x00000000,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
}

/**
 * The filter's return value for an action. ERRNO and TRACE carry `errnoRet`, EPERM where none is given.
 * @throws RangeError for a name that seccomp has not
 */
export function actionValue(action: string, errnoRet?: number): number {
  const base = actionBase[action]
  if (base === undefined) throw new RangeError(`unknown seccomp action ${action}`)
  return action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE' ? base | (errnoRet ?? EPERM) : base
}

const flagBits: Record<string, number> = {
  SECCOMP_FILTER_FLAG_TSYNC: 0x1,
  SECCOMP_FILTER_FLAG_LOG: 0x2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 0x4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 0x20,
}

/** The flags of seccomp(2). @throws RangeError for a name that it has not */
export function seccompFlags(profile: SeccompProfile): number {
  return (profile.flags ?? []).reduce((bits, name) => {
    if (flagBits[name] === undefined) throw new RangeError(`unknown seccomp flag ${name}`)
    return bits | flagBits[name]
  }, 0)
}
