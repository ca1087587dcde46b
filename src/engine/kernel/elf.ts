/**
 * The smallest ELF file that the kernel runs: a header, program headers, the player's code in a segment that
 * can't be written, the tape in one that can't be executed (elf(5)).
 */
import type { Arch } from './arch.ts'
import { codeAddress, dataAddress } from './player/player.ts'
import type { Tape } from './tape.ts'

const headerSize = 64
const programHeaderSize = 56
const segmentCount = 3
const codeOffset = headerSize + segmentCount * programHeaderSize
const PT_LOAD = 1
const PT_GNU_STACK = 0x6474e551
const PF_X = 1
const PF_W = 2
const PF_R = 4

/** A static executable that plays `tape`. */
export function makeImage(tape: Tape): Buffer {
  const arch: Arch = tape.arch
  const { segment, firstEntry } = tape.finish()
  const code = arch.player(firstEntry)
  const dataOffset = arch.segmentAlign
  const image = Buffer.alloc(dataOffset + segment.length)
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]) // magic, 64 bits, little endian, version
  image.writeUInt16LE(2, 16) // ET_EXEC
  image.writeUInt16LE(arch.machine, 18)
  image.writeUInt32LE(1, 20)
  image.writeUInt32LE(codeAddress + codeOffset, 24)
  image.writeUInt32LE(headerSize, 32)
  image.writeUInt16LE(headerSize, 52)
  image.writeUInt16LE(programHeaderSize, 54)
  image.writeUInt16LE(segmentCount, 56)
  const segments = [
    { type: PT_LOAD, flags: PF_R | PF_X, offset: 0, address: codeAddress, size: codeOffset + code.length },
    { type: PT_LOAD, flags: PF_R | PF_W, offset: dataOffset, address: dataAddress, size: segment.length },
    { type: PT_GNU_STACK, flags: PF_R | PF_W, offset: 0, address: 0, size: 0 },
  ]
  for (const [i, s] of segments.entries()) {
    const at = headerSize + i * programHeaderSize
    image.writeUInt32LE(s.type, at)
    image.writeUInt32LE(s.flags, at + 4)
    image.writeUInt32LE(s.offset, at + 8)
    image.writeUInt32LE(s.address, at + 16)
    image.writeUInt32LE(s.address, at + 24)
    image.writeUInt32LE(s.size, at + 32)
    image.writeUInt32LE(s.size, at + 40)
    image.writeUInt32LE(arch.segmentAlign, at + 48)
  }
  code.copy(image, codeOffset)
  segment.copy(image, dataOffset)
  return image
}
