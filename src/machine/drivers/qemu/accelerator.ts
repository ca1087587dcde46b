/**
 * What runs the guest's instructions: found by trying. That /dev/kvm can be opened says little (in a nested
 * machine it may be there and run nothing), so a guest of a few instructions has to come to its end in it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fail } from '../../errors.ts'
import type { ImageArch } from '../vm/images.ts'
import { runProgram } from '../vm/programs.ts'
import { type Accelerator, processorArgs } from './command.ts'

const accelerators: readonly Accelerator[] = ['kvm', 'hvf', 'tcg']

/** A guest that does anything at all does it in a tenth of this. */
const tryMs = 5_000

/** Boot sector: `mov al, 0x10; mov dx, 0x501; out dx, al`, which ends QEMU with the exit code 0x10 * 2 + 1. */
const sectorX64 = Buffer.alloc(512)
sectorX64.set([0xb0, 0x10, 0xba, 0x01, 0x05, 0xee, 0xf4])
sectorX64.set([0x55, 0xaa], 510)

/** `mov w0, #0x84000008; hvc #0`: PSCI's SYSTEM_OFF, which ends QEMU with 0. */
const codeArm64 = Buffer.from(new Uint32Array([0x52b08000, 0x72800100, 0xd4000002, 0x14000000]).buffer)

/** @throws E_OPTION where it is none that there is */
export function parseAccelerator(text: string | undefined): Accelerator | undefined {
  if (text === undefined) return undefined
  if ((accelerators as readonly string[]).includes(text)) return text as Accelerator
  const why = `"${text}" is none of ${accelerators.join(', ')}`
  throw fail('E_OPTION', { option: '--qemu-accelerator', why })
}

/**
 * The wanted one, or the quickest that works.
 * @throws E_ACCELERATOR where the wanted one doesn't work
 */
export async function chooseAccelerator(
  emulator: string,
  arch: ImageArch,
  wanted: Accelerator | undefined,
): Promise<Accelerator> {
  if (wanted === 'tcg') return 'tcg'
  const isNative = arch === process.arch
  const native = ({ linux: 'kvm', darwin: 'hvf' } as const)[process.platform as 'linux' | 'darwin']
  const candidate = wanted ?? native
  if (candidate === undefined) return 'tcg'
  const why = isNative
    ? await whyNot(emulator, arch, candidate)
    : `it runs ${process.arch} guests only, not ${arch}`
  if (why === undefined) return candidate
  if (wanted !== undefined) throw fail('E_ACCELERATOR', { accelerator: wanted, why })
  return 'tcg'
}

/** Why this accelerator doesn't run a guest here, or undefined when it does. */
export async function whyNot(
  emulator: string,
  arch: ImageArch,
  accelerator: Accelerator,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'tsmachine-try-'))
  try {
    await writeFile(join(folder, 'code'), arch === 'x64' ? sectorX64 : codeArm64)
    const processor = processorArgs({ arch, accelerator })
    const guest =
      arch === 'x64'
        ? [
            '-device',
            'isa-debug-exit,iobase=0x501,iosize=1',
            '-drive',
            'if=floppy,file=code,format=raw',
            '-boot',
            'a',
          ]
        : ['-device', 'loader,file=code,addr=0x40200000,force-raw=on,cpu-num=0']
    // The plain old machine: the other one has no floppy.
    if (arch === 'x64') processor[processor.indexOf('q35')] = 'pc'
    const args = [...processor, '-m', '64M', '-nodefaults', '-display', 'none', '-no-reboot', ...guest]
    const run = await runProgram([emulator, ...args], { timeoutMs: tryMs, cwd: folder })
    if (run.code === (arch === 'x64' ? 33 : 0)) return undefined
    return run.stderr.trim().split('\n').at(-1) || `QEMU ends with ${run.code}`
  } catch (error) {
    return (error as Error).message
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
