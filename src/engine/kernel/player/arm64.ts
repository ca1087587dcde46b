import { dataAddress, failureAddress, type Line, reportFd } from './player.ts'

/**
 * The player for arm64. x19 holds the current entry's address; the kernel changes nothing but x0 over a call,
 * and a clone's child inherits the registers.
 */
export function listing(firstEntry = dataAddress): Line[] {
  return [
    { bytes: '33 05 00 18', code: 'ldr w19, entry0', why: 'the first entry' },
    { label: 'next' },
    { bytes: '68 02 40 b9', code: 'ldr w8, [x19]', why: "the call's number" },
    { bytes: '60 86 40 a9', code: 'ldp x0, x1, [x19, #8]', why: 'its arguments' },
    { bytes: '62 8e 41 a9', code: 'ldp x2, x3, [x19, #24]', why: '' },
    { bytes: '64 96 42 a9', code: 'ldp x4, x5, [x19, #40]', why: '' },
    { bytes: '01 00 00 d4', code: 'svc #0', why: '' },
    { bytes: '1f fc 3f b1', code: 'cmn x0, #4095', why: 'the kernel returns -errno, -4095 to -1: carry' },
    { bytes: '82 02 00 54', code: 'b.hs error', why: '' },
    { bytes: '69 3e 40 b9', code: 'ldr w9, [x19, #60]', why: 'where the result goes' },
    { bytes: '49 00 00 34', code: 'cbz w9, check', why: 'nowhere' },
    { bytes: '20 01 00 b9', code: 'str w0, [x9]', why: '' },
    { label: 'check' },
    { bytes: '69 42 40 b9', code: 'ldr w9, [x19, #64]', why: 'the word to check' },
    { bytes: 'e9 00 00 34', code: 'cbz w9, done', why: 'none' },
    { bytes: '2a 01 40 b9', code: 'ldr w10, [x9]', why: '' },
    { bytes: '6b 46 40 b9', code: 'ldr w11, [x19, #68]', why: 'the mask' },
    { bytes: '4a 01 0b 0a', code: 'and w10, w10, w11', why: '' },
    { bytes: '6b 4a 40 b9', code: 'ldr w11, [x19, #72]', why: 'what it must be' },
    { bytes: '5f 01 0b 6b', code: 'cmp w10, w11', why: '' },
    { bytes: '01 01 00 54', code: 'b.ne mismatch', why: '' },
    { label: 'done' },
    { bytes: '69 72 40 79', code: 'ldrh w9, [x19, #56]', why: 'entries to skip ...' },
    { bytes: '1f 00 00 f1', code: 'cmp x0, #0', why: '' },
    { bytes: 'e9 03 89 1a', code: 'csel w9, wzr, w9, eq', why: '... when the result is not zero' },
    { label: 'advance' },
    { bytes: '29 05 00 11', code: 'add w9, w9, #1', why: '' },
    { bytes: '0a 0a 80 52', code: 'mov w10, #80', why: "an entry's size" },
    { bytes: '33 4d 0a 1b', code: 'madd w19, w9, w10, w19', why: '' },
    { bytes: 'e8 ff ff 17', code: 'b next', why: '' },
    { label: 'mismatch' },
    { bytes: 'e0 ff 81 92', code: 'mov x0, #-4096', why: 'an errno that the kernel has not' },
    { label: 'error' },
    { bytes: 'e0 03 00 4b', code: 'neg w0, w0', why: 'errno' },
    { bytes: '69 0e 40 79', code: 'ldrh w9, [x19, #6]', why: 'entries to skip if it is tolerated' },
    { bytes: '6a 0a 40 79', code: 'ldrh w10, [x19, #4]', why: '' },
    { bytes: '1f 00 0a 6b', code: 'cmp w0, w10', why: '' },
    { bytes: 'e0 fe ff 54', code: 'b.eq advance', why: '' },
    { bytes: '41 01 00 18', code: 'ldr w1, failure', why: 'write(reportFd, failure, 8)' },
    { bytes: '33 00 00 29', code: 'stp w19, w0, [x1]', why: '' },
    { bytes: '60 00 80 d2', code: `mov x0, #${reportFd}`, why: '' },
    { bytes: '02 01 80 d2', code: 'mov x2, #8', why: '' },
    { bytes: '08 08 80 d2', code: 'mov x8, #64', why: 'write' },
    { bytes: '01 00 00 d4', code: 'svc #0', why: '' },
    { bytes: 'e0 1f 80 d2', code: 'mov x0, #255', why: 'exit_group(255)' },
    { bytes: 'c8 0b 80 d2', code: 'mov x8, #94', why: '' },
    { bytes: '01 00 00 d4', code: 'svc #0', why: '' },
    { label: 'entry0' },
    { bytes: word(firstEntry), code: `.word ${firstEntry}`, why: 'patched in' },
    { label: 'failure' },
    { bytes: word(failureAddress), code: `.word ${failureAddress}`, why: '' },
  ]
}

/** A 32-bit constant as it lies in the code: lowest byte first. */
function word(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes.toString('hex')
}
