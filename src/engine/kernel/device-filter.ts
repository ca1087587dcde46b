/**
 * cgroup v2 has no list of devices: a BPF program decides (Documentation/admin-guide/cgroup-v2.rst, "Device
 * controller"). Rules are read from the last to the first, and the first that fits decides, which is what a
 * sequence of writes to v1's devices.allow and devices.deny amounts to; no rule, no access.
 */
import { hostArch } from './arch.ts'
import { addressOf, rawCall } from './libc.ts'

/** The parts of an OCI device rule that the filter reads. */
export interface FilterRule {
  allow: boolean
  type?: string
  major?: number
  minor?: number
  access?: string
}

const BPF_PROG_LOAD = 5
const BPF_PROG_TYPE_CGROUP_DEVICE = 15
/** linux/bpf.h: BPF_DEVCG_ACC_*, BPF_DEVCG_DEV_* */
const accessBits: Record<string, number> = { m: 1, r: 2, w: 4 }
const allAccess = 7
const typeNumbers: Record<string, number> = { b: 1, c: 2 }

const op = {
  loadWord: 0x61,
  moveReg: 0xbf,
  moveImm: 0xb7,
  andImm: 0x57,
  shiftRight: 0x77,
  jumpNe: 0x55,
  jumpEq: 0x15,
  exit: 0x95,
}
const reg = { result: 0, context: 1, type: 2, access: 3, major: 4, minor: 5, scratch: 6 }

/** The program as an array of struct bpf_insn. */
export function deviceProgram(rules: readonly FilterRule[]): Buffer {
  const head = [
    instruction(op.loadWord, reg.type, reg.context, 0),
    instruction(op.moveReg, reg.access, reg.type),
    instruction(op.andImm, reg.type, 0, 0, 0xffff),
    instruction(op.shiftRight, reg.access, 0, 0, 16),
    instruction(op.loadWord, reg.major, reg.context, 4),
    instruction(op.loadWord, reg.minor, reg.context, 8),
  ]
  const refuse = [instruction(op.moveImm, reg.result), instruction(op.exit)]
  // What follows a rule that fits everything can't be reached, which the kernel refuses.
  const last = rules.findLastIndex(fitsEverything)
  const reached = rules.slice(Math.max(last, 0)).toReversed().flatMap(ruleCode)
  return Buffer.concat([...head, ...reached, ...(last < 0 ? refuse : [])])
}

function fitsEverything({ type, major, minor, access }: FilterRule): boolean {
  const any = (n: number | undefined) => n === undefined || n < 0
  return (!type || type === 'a') && any(major) && any(minor) && accessOf(access) === allAccess
}

function accessOf(access: string | undefined): number {
  return [...(access || 'rwm')].reduce((bits, letter) => bits | (accessBits[letter] ?? 0), 0)
}

/** Tests that jump behind the rule, then its verdict. */
function ruleCode(rule: FilterRule): Buffer[] {
  const verdict = [instruction(op.moveImm, reg.result, 0, 0, rule.allow ? 1 : 0), instruction(op.exit)]
  const tests: ((distance: number) => Buffer[])[] = []
  const must = (register: number, value: number) =>
    tests.push((distance) => [instruction(op.jumpNe, register, 0, distance, value)])
  if (rule.type && rule.type !== 'a') must(reg.type, typeNumbers[rule.type]!)
  const access = accessOf(rule.access)
  if (access !== allAccess) {
    // Allowed is what lies wholly within the rule, denied what touches it.
    const mask = rule.allow ? allAccess & ~access : access
    const jump = rule.allow ? op.jumpNe : op.jumpEq
    tests.push((distance) => [
      instruction(op.moveReg, reg.scratch, reg.access),
      instruction(op.andImm, reg.scratch, 0, 0, mask),
      instruction(jump, reg.scratch, 0, distance, 0),
    ])
  }
  if (rule.major !== undefined && rule.major >= 0) must(reg.major, rule.major)
  if (rule.minor !== undefined && rule.minor >= 0) must(reg.minor, rule.minor)
  let code = verdict
  for (const test of tests.reverse()) code = [...test(code.length), ...code]
  return code
}

function instruction(code: number, dst = 0, src = 0, offset = 0, imm = 0): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt8(code, 0)
  bytes.writeUInt8(dst | (src << 4), 1)
  bytes.writeInt16LE(offset, 2)
  bytes.writeInt32LE(imm | 0, 4)
  return bytes
}

/** Loads the program. The caller closes its descriptor; a cgroup that it is attached to keeps it. */
export function loadDeviceProgram(rules: readonly FilterRule[]): number {
  const program = deviceProgram(rules)
  const license = Buffer.from('Dual MIT/GPL\0')
  const attr = Buffer.alloc(128) // union bpf_attr, as far as we use it
  attr.writeUInt32LE(BPF_PROG_TYPE_CGROUP_DEVICE, 0)
  attr.writeUInt32LE(program.length / 8, 4)
  attr.writeBigUInt64LE(addressOf(program), 8)
  attr.writeBigUInt64LE(addressOf(license), 16)
  return rawCall('bpf', hostArch().numbers.bpf!, BPF_PROG_LOAD, addressOf(attr), attr.length)
}
