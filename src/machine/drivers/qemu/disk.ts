/**
 * A machine's disk: what the guest writes over its image, in a qcow2 file that begins empty.
 */
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../../errors.ts'
import { runProgram } from '../vm/programs.ts'

export interface ImageInfo {
  format: string
  virtualBytes: number
}

const mb = 1024 * 1024

/**
 * What kind of image it is.
 * @throws E_IMAGE where it is none to build on
 */
export async function inspectImage(qemuImg: string, path: string, name: string): Promise<ImageInfo> {
  const { code, stdout, stderr } = await runProgram([qemuImg, 'info', '--output=json', path], {
    timeoutMs: 60_000,
  })
  const refuse = (why: string) => fail('E_IMAGE', { image: name, why })
  if (code !== 0) throw refuse(stderr.trim().split('\n').at(-1) ?? 'qemu-img can not read it')
  return parseImageInfo(stdout, refuse)
}

/** What `qemu-img info --output=json` says. @param refuse makes the failure */
export function parseImageInfo(text: string, refuse: (why: string) => Error): ImageInfo {
  const info = JSON.parse(text) as Record<string, unknown>
  const { format, 'virtual-size': virtualBytes } = info
  // Such an image has the guest read whatever file of this computer it names.
  if (info['backing-filename'] !== undefined || info['full-backing-filename'] !== undefined) {
    throw refuse('it builds on another file; flatten it first: qemu-img convert -O qcow2 OLD NEW')
  }
  if (JSON.stringify(info['format-specific'] ?? '').includes('"data-file"')) {
    throw refuse('it keeps its data in another file')
  }
  if (typeof format !== 'string' || typeof virtualBytes !== 'number') throw refuse('qemu-img can not read it')
  return { format, virtualBytes }
}

/**
 * Makes the disk where there is none yet.
 * @throws E_OPTION where the image does not fit on it
 */
export async function makeDisk(
  qemuImg: string,
  folder: string,
  image: ImageInfo & { path: string },
  sizeMb: number,
): Promise<void> {
  if (hasDisk(folder)) return
  if (image.virtualBytes > sizeMb * mb) {
    const least = Math.ceil(image.virtualBytes / mb)
    throw fail('E_OPTION', { option: '--qemu-disk-size', why: `the image alone has ${least} MB` })
  }
  const unfinished = join(folder, 'disk.qcow2.new')
  await rm(unfinished, { force: true })
  const argv = [
    qemuImg,
    'create',
    '-q',
    '-f',
    'qcow2',
    '-b',
    image.path,
    '-F',
    image.format,
    unfinished,
    `${sizeMb}M`,
  ]
  const { code, stderr } = await runProgram(argv, { timeoutMs: 60_000 })
  if (code !== 0) {
    throw fail('E_TOOL', {
      command: 'qemu-img create',
      why: stderr.trim().split('\n').at(-1) ?? 'no message',
    })
  }
  await rename(unfinished, join(folder, 'disk.qcow2'))
}

export function hasDisk(folder: string): boolean {
  return existsSync(join(folder, 'disk.qcow2'))
}
