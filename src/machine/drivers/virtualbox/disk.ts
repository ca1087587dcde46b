/**
 * From a cloud image to a disk of VirtualBox's own kind.
 */
import { existsSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { fail } from '../../errors.ts'
import { findProgram, runProgram } from '../vm/programs.ts'
import type { VBoxManage } from './vboxmanage.ts'

const convertMs = 30 * 60_000

export type ImageKind = 'raw' | 'qcow2' | 'vmdk' | 'vdi' | 'vhdx' | 'compressed'

/** What the first bytes say. */
export function imageKindOf(head: Buffer): ImageKind {
  const starts = (...bytes: number[]) => bytes.every((byte, i) => head[i] === byte)
  if (starts(0x51, 0x46, 0x49, 0xfb)) return 'qcow2'
  if (head.toString('latin1', 0, 4) === 'KDMV') return 'vmdk'
  if (head.length >= 68 && head.readUInt32LE(64) === 0xbeda107f) return 'vdi'
  if (head.toString('latin1', 0, 8) === 'vhdxfile') return 'vhdx'
  if (starts(0x1f, 0x8b) || starts(0xfd, 0x37, 0x7a, 0x58, 0x5a) || starts(0x28, 0xb5, 0x2f, 0xfd))
    return 'compressed'
  return 'raw'
}

/**
 * Makes `disk` of the image; nothing where it is there. VirtualBox converts raw images itself, without taking
 * them into its registry; for all others it needs qemu-img, since it reads no qcow2 of version 3.
 * @throws E_IMAGE, E_PROGRAM_MISSING, E_VBOXMANAGE
 */
export async function convertImage(
  vbox: VBoxManage,
  image: { path: string; name: string },
  disk: string,
  signal: AbortSignal,
): Promise<void> {
  if (existsSync(disk)) return
  const unfinished = `${disk}.new`
  await rm(unfinished, { force: true })
  const kind = imageKindOf(await readHead(image.path))
  if (kind === 'compressed')
    throw fail('E_IMAGE', { image: image.name, why: 'it is compressed; unpack it first' })
  const limit = { timeoutMs: convertMs, signal }
  if (kind === 'raw') {
    await vbox.run(['convertfromraw', image.path, unfinished, '--format', 'VDI'], limit)
  } else {
    const qemuImg = findProgram('qemu-img')
    if (!qemuImg) {
      const how = 'the package qemu-utils, or name a raw image'
      throw fail('E_PROGRAM_MISSING', { program: `qemu-img, to convert a ${kind} image`, how })
    }
    const { code, stderr } = await runProgram(
      [qemuImg, 'convert', '-O', 'vdi', image.path, unfinished],
      limit,
    )
    const why = stderr.trim().split('\n').at(-1) || `qemu-img ends with ${code}`
    if (code !== 0) throw fail('E_IMAGE', { image: image.name, why })
  }
  await rename(unfinished, disk)
}

async function readHead(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const head = Buffer.alloc(512)
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    return head.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
