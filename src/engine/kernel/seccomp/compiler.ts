/**
 * Profile -> filter. The numbers of each architecture are cut into ranges of one verdict, and a binary search
 * over the ranges finds the verdict in seven or eight comparisons, where a list takes hundreds: the kernel
 * runs the filter over every number when it is loaded, so the layout is most of a container's seccomp cost.
 *
 * Verdicts follow libseccomp: a rule without arguments beats those with arguments; several with arguments are
 * tried in order; a rule that names one argument twice is two rules, either of which is enough.
 */

import type { Abi, Arch } from '../arch.ts'
import { errnos } from '../errno.ts'
import {
  and,
  branch,
  dataOffset,
  encode,
  type Instruction,
  jumpEq,
  jumpGe,
  jumpGt,
  load,
  ret,
} from './bpf.ts'
import { actionValue, type SeccompArg, type SeccompProfile, type SeccompRule } from './profile.ts'

/** A program for seccomp(SECCOMP_SET_MODE_FILTER). @throws RangeError for what seccomp can't express */
export function compileSeccomp(profile: SeccompProfile, arch: Arch): Buffer {
  return encode(compileProgram(profile, arch))
}

export function compileProgram(profile: SeccompProfile, arch: Arch): Instruction[] {
  const wanted = profile.architectures?.length ? profile.architectures : [arch.abis[0]!.name]
  const abis = arch.abis.filter((abi) => wanted.includes(abi.name))
  // A foreign architecture is the classic way around a filter: kill.
  let otherwise = [ret(actionValue('SCMP_ACT_KILL_PROCESS'))]
  for (const audit of [...new Set(abis.map((abi) => abi.audit))].reverse()) {
    otherwise = branch(
      'eq',
      audit,
      abiProgram(
        profile,
        abis.filter((abi) => abi.audit === audit),
      ),
      otherwise,
    )
  }
  return [load(dataOffset.arch), ...otherwise]
}

/** Tables that share an audit architecture differ by a bit of the number: x86-64 and x32. */
function abiProgram(profile: SeccompProfile, abis: Abi[]): Instruction[] {
  const plain = abis.find((abi) => abi.numberBit === 0)
  const marked = abis.find((abi) => abi.numberBit !== 0)
  const kill = [ret(actionValue('SCMP_ACT_KILL_PROCESS'))]
  const body = plain ? search(ranges(profile, plain)) : kill
  // Without a table of its own a marked number still reaches the default by the last range of the plain one.
  if (!marked) return [load(dataOffset.number), ...body]
  return [load(dataOffset.number), ...branch('set', marked.numberBit, search(ranges(profile, marked)), body)]
}

/** From `start` on, until the next range. */
interface Range {
  start: number
  verdict: Verdict
}
/** A verdict's code, and a key by which equal ones are joined. */
interface Verdict {
  key: string
  code: Instruction[]
}

function ranges(profile: SeccompProfile, abi: Abi): Range[] {
  const fallback = simple(actionValue(profile.defaultAction, profile.defaultErrnoRet))
  const rules = new Map<number, SeccompRule[]>()
  for (const rule of profile.syscalls ?? []) {
    for (const name of rule.names) {
      const number = abi.numbers[name]
      if (number === undefined) continue
      const marked = (number | abi.numberBit) >>> 0
      rules.set(marked, [...(rules.get(marked) ?? []), rule])
    }
  }
  const sorted = [...rules.entries()].sort((a, b) => a[0] - b[0])
  const list: Range[] = [{ start: 0, verdict: fallback }]
  const add = (start: number, verdict: Verdict) => {
    const last = list.at(-1)!
    if (last.start === start) list.pop()
    if (list.at(-1)?.verdict.key !== verdict.key) list.push({ start, verdict })
  }
  for (const [i, [number, its]] of sorted.entries()) {
    add(number, verdictOf(its, fallback))
    if (sorted[i + 1]?.[0] !== number + 1) add(number + 1, fallback)
  }
  const highest = sorted.at(-1)?.[0]
  if (highest !== undefined && hidesNewCalls(profile)) {
    // A call that is newer than the profile must look absent, or libc's own fallbacks break.
    add(highest + 1, simple(actionValue('SCMP_ACT_ERRNO', errnos.ENOSYS)))
  }
  return list
}

/** As runc: only where the profile refuses by default, and refuses with something other than ENOSYS. */
function hidesNewCalls(profile: SeccompProfile): boolean {
  const refuses = !['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE', 'SCMP_ACT_NOTIFY'].includes(
    profile.defaultAction,
  )
  return refuses && profile.defaultErrnoRet !== errnos.ENOSYS
}

function simple(action: number): Verdict {
  return { key: String(action), code: [ret(action)] }
}

function verdictOf(rules: SeccompRule[], fallback: Verdict): Verdict {
  const always = rules.find((rule) => !rule.args?.length)
  if (always) return simple(actionValue(always.action, always.errnoRet))
  const alternatives = rules.flatMap((rule) => {
    const action = actionValue(rule.action, rule.errnoRet)
    const indices = rule.args!.map((arg) => arg.index)
    const twice = new Set(indices).size !== indices.length
    return (twice ? rule.args!.map((arg) => [arg]) : [rule.args!]).map((args) => ({ args, action }))
  })
  const code = alternatives.flatMap(({ args, action }) => conjunction(args, action))
  const key = JSON.stringify(alternatives, (_, v) => (typeof v === 'bigint' ? v.toString() : v))
  return { key, code: [...code, ...fallback.code] }
}

/** `if (all args hold) return action`, else falls through. */
function conjunction(args: SeccompArg[], action: number): Instruction[] {
  let code = [ret(action)]
  for (const arg of [...args].reverse()) code = test(arg, code)
  return code
}

/** `then` when the argument holds; behind `then` otherwise. 64 bits are compared as two halves. */
function test(arg: SeccompArg, then: Instruction[]): Instruction[] {
  if (!Number.isInteger(arg.index) || arg.index < 0 || arg.index > 5) {
    throw new RangeError(`seccomp: no argument ${arg.index}, they are 0 to 5`)
  }
  const high = load(dataOffset.args + 8 * arg.index + 4)
  const low = load(dataOffset.args + 8 * arg.index)
  const [valueHigh, valueLow] = halves(arg.value)
  const n = then.length
  switch (arg.op) {
    case 'SCMP_CMP_EQ':
      return [high, jumpEq(valueHigh, 0, n + 2), low, jumpEq(valueLow, 0, n), ...then]
    case 'SCMP_CMP_NE':
      return [high, jumpEq(valueHigh, 0, 2), low, jumpEq(valueLow, n, 0), ...then]
    case 'SCMP_CMP_GT':
      return [
        high,
        jumpGt(valueHigh, 3, 0),
        jumpEq(valueHigh, 0, n + 2),
        low,
        jumpGt(valueLow, 0, n),
        ...then,
      ]
    case 'SCMP_CMP_GE':
      return [
        high,
        jumpGt(valueHigh, 3, 0),
        jumpEq(valueHigh, 0, n + 2),
        low,
        jumpGe(valueLow, 0, n),
        ...then,
      ]
    case 'SCMP_CMP_LT':
      return [
        high,
        jumpGt(valueHigh, n + 3, 0),
        jumpEq(valueHigh, 0, 2),
        low,
        jumpGe(valueLow, n, 0),
        ...then,
      ]
    case 'SCMP_CMP_LE':
      return [
        high,
        jumpGt(valueHigh, n + 3, 0),
        jumpEq(valueHigh, 0, 2),
        low,
        jumpGt(valueLow, n, 0),
        ...then,
      ]
    case 'SCMP_CMP_MASKED_EQ': {
      const [wantHigh, wantLow] = halves(arg.valueTwo ?? 0)
      return [
        high,
        and(valueHigh),
        jumpEq(wantHigh, 0, n + 3),
        low,
        and(valueLow),
        jumpEq(wantLow, 0, n),
        ...then,
      ]
    }
    default:
      throw new RangeError(`unknown seccomp operator ${arg.op}`)
  }
}

function halves(value: number | bigint): [high: number, low: number] {
  const wide = BigInt.asUintN(64, BigInt(value))
  return [Number(wide >> 32n), Number(wide & 0xffffffffn)]
}

/** A balanced tree of comparisons over the ranges. */
function search(list: Range[]): Instruction[] {
  if (list.length === 1) return list[0]!.verdict.code
  const middle = list.length >> 1
  return branch('ge', list[middle]!.start, search(list.slice(middle)), search(list.slice(0, middle)))
}
