/**
 * The only door to VBoxManage: its locale, its limits, its locks, and what of its output means failure. Its exit
 * status lies both ways, and its texts may be translated, so the codes that it prints are what counts.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fail } from '../../errors.ts'
import { type Finished, findProgram, runProgram } from '../vm/programs.ts'

/** Runs VBoxManage with these arguments; a test puts a stand-in here. */
export type RunVBoxManage = (args: readonly string[], limit: Limit) => Promise<Finished>

export interface Limit {
  timeoutMs: number
  signal?: AbortSignal
}

export interface VBoxResult {
  stdout: string
  /** The first line of its error, without the prefix; undefined where all went well. */
  error?: string
  /** What VirtualBox calls it, such as VBOX_E_OBJECT_NOT_FOUND. */
  code?: string
  /** All that it wrote to stderr. */
  stderr: string
  /** It warned that its kernel module is not there. */
  isModuleMissing: boolean
}

const defaultMs = 60_000
/** A lock outlives its holder, a client or a machine that was switched off, by up to seconds. */
const lockMs = 20_000

/** Another session has the machine. Nothing was done. */
const lockCodes = ['VBOX_E_INVALID_OBJECT_STATE']
/** Its server died, or is just dying; what it was asked for may have been done. */
const serverTrouble =
  /Failed to create the VirtualBox object|NS_ERROR_CALL_FAILED|NS_ERROR_FACTORY_NOT_REGISTERED/

/** Verbs that may be done twice without harm. */
const harmless = new Set([
  '--version',
  'list',
  'showvminfo',
  'showmediuminfo',
  'getextradata',
  'setextradata',
])

export class VBoxManage {
  readonly #run: RunVBoxManage
  readonly #lockPauseMs: number

  /** @param lockPauseMs between two tries for a lock; for tests */
  constructor(run: RunVBoxManage, lockPauseMs = 200) {
    this.#run = run
    this.#lockPauseMs = lockPauseMs
  }

  /** Of this computer. @throws E_PROGRAM_MISSING */
  static find(): VBoxManage {
    const path = findVBoxManage()
    if (!path) {
      const how = 'https://www.virtualbox.org/wiki/Downloads, or the package virtualbox of your system'
      throw fail('E_PROGRAM_MISSING', { program: 'VBoxManage (VirtualBox)', how })
    }
    // In the C locale its output ends at the first character that is not ASCII, with exit code 0.
    const locale = process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8'
    const env = { LC_ALL: locale, LANG: locale }
    return new VBoxManage((args, limit) => runProgram([path, ...args], { ...limit, env }))
  }

  /**
   * Calls it, and again as long as another session has the machine.
   * @throws E_TOOL where it does not end in time
   */
  async call(args: readonly string[], limit: Partial<Limit> = {}): Promise<VBoxResult> {
    const end = performance.now() + lockMs
    for (;;) {
      const result = readResult(await this.#run(args, { timeoutMs: defaultMs, ...limit }))
      if (!result.error || !isWorthAgain(args, result) || performance.now() > end) return result
      await sleep(this.#lockPauseMs, undefined, { signal: limit.signal })
    }
  }

  /** The stdout of a call that must succeed. @throws E_VBOXMANAGE, E_VIRTUALBOX_UNFIT */
  async run(args: readonly string[], limit: Partial<Limit> = {}): Promise<string> {
    const result = await this.call(args, limit)
    if (result.error) throw vboxFailure(args, result)
    return result.stdout
  }
}

function isWorthAgain(args: readonly string[], { code, stderr }: VBoxResult): boolean {
  if (code !== undefined && lockCodes.includes(code)) return true
  return harmless.has(args[0]!) && serverTrouble.test(stderr)
}

function findVBoxManage(): string | undefined {
  const folder = process.env.VBOX_MSI_INSTALL_PATH ?? process.env.VBOX_INSTALL_PATH
  const beside = folder && findProgram(`${folder.replace(/[\\/]$/, '')}/VBoxManage.exe`)
  return beside || findProgram('VBoxManage')
}

/** What a run came to. Warnings and progress are on stderr too. */
export function readResult({ code, stdout, stderr }: Finished): VBoxResult {
  const isModuleMissing = /^WARNING: .*vboxdrv/.test(stdout)
  const clean = { stdout: withoutBanner(stdout), stderr, isModuleMissing }
  const lines = stderr.split(/\r?\n/)
  const prefix = /^VBoxManage(?:\.exe)?: (?:error|fatal error): /
  const first = lines.find((line) => prefix.test(line))
  // Some failures end with 0, others with 1 and not a word.
  if (first === undefined && code === 0) return clean
  const all = lines.join('\n')
  const name = /\b(?:code|Code) ([A-Z][A-Z0-9_]+) \(0x/.exec(all)?.[1]
  const error =
    first?.replace(prefix, '').trim() ||
    lines.findLast((line) => line.trim() && !/^\d+%/.test(line))?.trim() ||
    `exit ${code}`
  return { ...clean, error, ...(name && { code: name }) }
}

/** Without its kernel module the wrapper script says so on stdout, before whatever was asked for. */
function withoutBanner(stdout: string): string {
  return stdout.replace(/^WARNING: [\s\S]*?until (?:this problem|it) is fixed\.\r?\n/, '')
}

/** A failure with advice where the cause is this computer's and known. */
export function vboxFailure(args: readonly string[], { error = '', stderr }: VBoxResult): Error {
  const advice = adviceFor(stderr)
  if (advice) return fail('E_VIRTUALBOX_UNFIT', advice, new Error(stderr))
  return fail('E_VBOXMANAGE', { command: args.slice(0, 2).join(' '), why: error }, new Error(stderr))
}

export const moduleAdvice = {
  why: 'its kernel module is not loaded',
  how: 'install virtualbox-dkms and your kernel’s headers, or run /sbin/vboxconfig as root; Secure Boot wants it signed',
}

function adviceFor(text: string): { why: string; how: string } | undefined {
  if (/VERR_(VMX_IN_VMX_ROOT_MODE|SVM_IN_USE)/.test(text)) {
    const how = 'end the other machines, then: modprobe -r kvm_intel kvm_amd kvm'
    return { why: 'another hypervisor (KVM) has hardware virtualisation', how }
  }
  if (/VERR_(VMX_NO_VMX|SVM_NO_SVM)|VERR_NEM_NOT_AVAILABLE/.test(text)) {
    const how = 'use a computer that has it, or --driver qemu, which can do without'
    return { why: 'this computer has no hardware virtualisation (VT-x, AMD-V)', how }
  }
  if (/VERR_(VMX_MSR_ALL_VMX_DISABLED|VMX_MSR_VMX_DISABLED|SVM_DISABLED)/.test(text)) {
    const how = 'switch on VT-x or AMD-V (SVM) in the settings of the firmware'
    return { why: 'hardware virtualisation is switched off', how }
  }
  if (/VERR_VM_DRIVER_NOT_INSTALLED|Kernel driver not installed|suplibOsInit/.test(text)) return moduleAdvice
  // What startvm says where there is no module at all.
  if (/terminated unexpectedly during startup with exit code 1 /.test(text)) return moduleAdvice
  return undefined
}

/** The version as numbers; the last line that looks like one, as a banner may stand before it. */
export function parseVersion(stdout: string): [number, number, number] | undefined {
  const line = stdout.split(/\r?\n/).findLast((text) => /^\d+\.\d+\.\d+\S*r\d+$/.test(text))
  const numbers = line && /^(\d+)\.(\d+)\.(\d+)/.exec(line)
  return numbers ? [Number(numbers[1]), Number(numbers[2]), Number(numbers[3])] : undefined
}
