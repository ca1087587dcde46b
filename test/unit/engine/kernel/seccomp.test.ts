import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Abi, archs } from '../../../../src/engine/kernel/arch.ts'
import type { Instruction } from '../../../../src/engine/kernel/seccomp/bpf.ts'
import { compileProgram } from '../../../../src/engine/kernel/seccomp/compiler.ts'
import {
  actionValue,
  type SeccompArg,
  type SeccompProfile,
} from '../../../../src/engine/kernel/seccomp/profile.ts'
import { defaultSeccomp } from '../../../../src/engine/runtime/default-seccomp.ts'
import { defaultCapabilities } from '../../../../src/engine/runtime/defaults.ts'

const x64 = archs.x64!
const allow = actionValue('SCMP_ACT_ALLOW')
const eperm = actionValue('SCMP_ACT_ERRNO', 1)
const enosys = actionValue('SCMP_ACT_ERRNO', 38)
const kill = actionValue('SCMP_ACT_KILL_PROCESS')

/** Classic BPF as the kernel runs it over struct seccomp_data, for the instructions that the compiler uses. */
function run(program: Instruction[], audit: number, number: number, args: bigint[] = []): number {
  const data = Buffer.alloc(64)
  data.writeInt32LE(number | 0, 0)
  data.writeUInt32LE(audit, 4)
  for (const [i, arg] of args.entries()) data.writeBigUInt64LE(arg, 16 + 8 * i)
  let a = 0
  for (let pc = 0; pc < program.length; pc++) {
    const { code, jt, jf, k } = program[pc]!
    const jump = (yes: boolean) => {
      pc += yes ? jt : jf
    }
    if (code === 0x20) a = data.readUInt32LE(k)
    else if (code === 0x54) a = (a & k) >>> 0
    else if (code === 0x06) return k
    else if (code === 0x05) pc += k
    else if (code === 0x15) jump(a === k)
    else if (code === 0x25) jump(a > k)
    else if (code === 0x35) jump(a >= k)
    else if (code === 0x45) jump((a & k) !== 0)
    else throw new Error(`instruction ${code}`)
  }
  throw new Error('ran off the end')
}

/** The same verdict in the plainest words. */
function verdict(profile: SeccompProfile, abi: Abi, number: number, args: bigint[]): number {
  const rules = (profile.syscalls ?? []).filter((r) => r.names.some((n) => abi.numbers[n] === number))
  const always = rules.find((r) => !r.args?.length)
  if (always) return actionValue(always.action, always.errnoRet)
  const match = rules.find((r) => r.args!.every((arg) => holds(arg, args[arg.index] ?? 0n)))
  return match
    ? actionValue(match.action, match.errnoRet)
    : actionValue(profile.defaultAction, profile.defaultErrnoRet)
}

function holds(arg: SeccompArg, actual: bigint): boolean {
  const value = BigInt.asUintN(64, BigInt(arg.value))
  const two = BigInt.asUintN(64, BigInt(arg.valueTwo ?? 0))
  const tests: Record<string, boolean> = {
    SCMP_CMP_EQ: actual === value,
    SCMP_CMP_NE: actual !== value,
    SCMP_CMP_LT: actual < value,
    SCMP_CMP_LE: actual <= value,
    SCMP_CMP_GT: actual > value,
    SCMP_CMP_GE: actual >= value,
    SCMP_CMP_MASKED_EQ: (actual & value) === two,
  }
  return tests[arg.op]!
}

describe('the seccomp compiler', () => {
  const profile = defaultSeccomp(defaultCapabilities, x64)
  const program = compileProgram(profile, x64)

  it.each(x64.abis)("gives each number of $name the default profile's verdict", (abi) => {
    const highest = Math.max(...profile.syscalls!.flatMap((r) => r.names.map((n) => abi.numbers[n] ?? -1)))
    for (let number = 0; number <= highest; number++) {
      const expected = verdict(profile, abi, number, [])
      expect([number, run(program, abi.audit, (number | abi.numberBit) >>> 0)]).toEqual([number, expected])
    }
    expect(run(program, abi.audit, ((highest + 1) | abi.numberBit) >>> 0)).toBe(enosys)
  })

  it('kills a process that calls by another architecture', () => {
    expect(run(program, 0xc00000b7, 0)).toBe(kill)
  })

  it('looks at arguments: no new namespaces by clone, no AF_ALG or vsock sockets, few personalities', () => {
    const { clone, clone3, socket, personality } = x64.numbers as Record<string, number>
    const call = (number: number, ...args: bigint[]) => run(program, 0xc000003e, number, args)
    expect(call(clone!, 0x11n)).toBe(allow)
    for (const flag of [
      0x20000n,
      0x2000000n,
      0x4000000n,
      0x8000000n,
      0x10000000n,
      0x20000000n,
      0x40000000n,
    ]) {
      expect(call(clone!, flag | 0x11n)).toBe(eperm)
    }
    expect(call(clone3!)).toBe(enosys)
    expect([1n, 2n, 16n, 38n, 39n, 40n, 41n].map((f) => call(socket!, f) === allow)).toEqual([
      true,
      true,
      true,
      false,
      true,
      false,
      true,
    ])
    expect(call(personality!, 0xffffffffn)).toBe(allow)
    expect(call(personality!, 0x40000n)).toBe(eperm)
  })

  it('opens what a capability guards', () => {
    const { mount, clone3 } = x64.numbers as Record<string, number>
    const admin = compileProgram(defaultSeccomp([...defaultCapabilities, 'CAP_SYS_ADMIN'], x64), x64)
    expect(run(program, 0xc000003e, mount!)).toBe(eperm)
    expect(run(admin, 0xc000003e, mount!)).toBe(allow)
    expect(run(admin, 0xc000003e, clone3!)).toBe(allow)
  })

  it('finds each verdict in few comparisons, unlike a list', () => {
    expect(program.length).toBeLessThan(800)
    expect(compileProgram({ ...profile, architectures: ['SCMP_ARCH_X86_64'] }, x64).length).toBeLessThan(220)
  })

  it('agrees with the plain reading of any profile', () => {
    const names = ['read', 'write', 'ioctl', 'socket', 'clone', 'prctl', 'futex', 'openat2', 'close_range']
    const word = fc.oneof(
      fc.bigInt({ min: 0n, max: 5n }),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.constant(1n << 32n),
    )
    const arg = fc.record({
      index: fc.nat(5),
      value: word,
      valueTwo: word,
      op: fc.constantFrom('EQ', 'NE', 'LT', 'LE', 'GT', 'GE', 'MASKED_EQ').map((o) => `SCMP_CMP_${o}`),
    })
    const rule = fc.record({
      names: fc.subarray(names, { minLength: 1 }),
      action: fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_ERRNO', 'SCMP_ACT_LOG'),
      errnoRet: fc.nat(100),
      args: fc.uniqueArray(arg, { maxLength: 3, selector: (a) => a.index }),
    })
    const abi = x64.abis[0]!
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 8 }),
        fc.array(word, { minLength: 6, maxLength: 6 }),
        (syscalls, args) => {
          const random: SeccompProfile = { defaultAction: 'SCMP_ACT_ALLOW', syscalls }
          const compiled = compileProgram(random, x64)
          for (const name of [...names, 'mount']) {
            const number = abi.numbers[name]!
            expect(run(compiled, abi.audit, number, args)).toBe(verdict(random, abi, number, args))
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it.each([
    [{ defaultAction: 'SCMP_ACT_NONE' }, 'SCMP_ACT_NONE'],
    [
      {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          { names: ['read'], action: 'SCMP_ACT_ERRNO', args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] },
        ],
      },
      'argument 6',
    ],
    [
      {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['read'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 0, op: 'LIKE' }] }],
      },
      'LIKE',
    ],
  ] as [SeccompProfile, string][])('refuses %j by name', (bad, words) => {
    expect(() => compileProgram(bad, x64)).toThrow(words)
  })
})
