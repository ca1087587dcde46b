import { dataAddress, failureAddress, type Line, reportFd } from './player.ts'

/**
 * The player for x86-64. rbx holds the current entry's address; the kernel keeps it over a call (it changes
 * rax, rcx and r11 only), and a clone's child inherits it.
 */
export function listing(firstEntry = dataAddress): Line[] {
  return [
    { bytes: `bb ${word(firstEntry)}`, code: `mov ebx, ${firstEntry}`, why: 'the first entry' },
    { label: 'next' },
    { bytes: '8b 03', code: 'mov eax, [rbx]', why: "the call's number" },
    { bytes: '48 8b 7b 08', code: 'mov rdi, [rbx+8]', why: 'its arguments' },
    { bytes: '48 8b 73 10', code: 'mov rsi, [rbx+16]', why: '' },
    { bytes: '48 8b 53 18', code: 'mov rdx, [rbx+24]', why: '' },
    { bytes: '4c 8b 53 20', code: 'mov r10, [rbx+32]', why: '' },
    { bytes: '4c 8b 43 28', code: 'mov r8, [rbx+40]', why: '' },
    { bytes: '4c 8b 4b 30', code: 'mov r9, [rbx+48]', why: '' },
    { bytes: '0f 05', code: 'syscall', why: '' },
    { bytes: '48 3d 01 f0 ff ff', code: 'cmp rax, -4095', why: 'the kernel returns -errno, -4095 to -1' },
    { bytes: '73 33', code: 'jae error', why: '' },
    { bytes: '8b 4b 3c', code: 'mov ecx, [rbx+60]', why: 'where the result goes' },
    { bytes: '85 c9', code: 'test ecx, ecx', why: '' },
    { bytes: '74 02', code: 'jz check', why: 'nowhere' },
    { bytes: '89 01', code: 'mov [rcx], eax', why: '' },
    { label: 'check' },
    { bytes: '8b 4b 40', code: 'mov ecx, [rbx+64]', why: 'the word to check' },
    { bytes: '85 c9', code: 'test ecx, ecx', why: '' },
    { bytes: '74 0a', code: 'jz done', why: 'none' },
    { bytes: '8b 11', code: 'mov edx, [rcx]', why: '' },
    { bytes: '23 53 44', code: 'and edx, [rbx+68]', why: '' },
    { bytes: '3b 53 48', code: 'cmp edx, [rbx+72]', why: '' },
    { bytes: '75 14', code: 'jne mismatch', why: '' },
    { label: 'done' },
    { bytes: '0f b7 4b 38', code: 'movzx ecx, word ptr [rbx+56]', why: 'entries to skip ...' },
    { bytes: '48 85 c0', code: 'test rax, rax', why: '... when the result is not zero' },
    { bytes: '75 02', code: 'jnz advance', why: '' },
    { bytes: '31 c9', code: 'xor ecx, ecx', why: '' },
    { label: 'advance' },
    { bytes: 'ff c1', code: 'inc ecx', why: '' },
    { bytes: '6b c9 50', code: 'imul ecx, ecx, 80', why: "an entry's size" },
    { bytes: '01 cb', code: 'add ebx, ecx', why: '' },
    { bytes: 'eb ae', code: 'jmp next', why: '' },
    { label: 'mismatch' },
    { bytes: 'b8 00 f0 ff ff', code: 'mov eax, -4096', why: 'an errno that the kernel has not' },
    { label: 'error' },
    { bytes: 'f7 d8', code: 'neg eax', why: 'errno' },
    { bytes: '0f b7 4b 06', code: 'movzx ecx, word ptr [rbx+6]', why: 'entries to skip if it is tolerated' },
    { bytes: '66 3b 43 04', code: 'cmp ax, [rbx+4]', why: '' },
    { bytes: '74 e6', code: 'je advance', why: '' },
    {
      bytes: `be ${word(failureAddress)}`,
      code: `mov esi, ${failureAddress}`,
      why: 'write(reportFd, failure, 8)',
    },
    { bytes: '89 1e', code: 'mov [rsi], ebx', why: '' },
    { bytes: '89 46 04', code: 'mov [rsi+4], eax', why: '' },
    { bytes: `6a 0${reportFd}`, code: `push ${reportFd}`, why: '' },
    { bytes: '5f', code: 'pop rdi', why: '' },
    { bytes: '6a 08', code: 'push 8', why: '' },
    { bytes: '5a', code: 'pop rdx', why: '' },
    { bytes: '6a 01', code: 'push 1', why: 'write' },
    { bytes: '58', code: 'pop rax', why: '' },
    { bytes: '0f 05', code: 'syscall', why: '' },
    { bytes: 'bf ff 00 00 00', code: 'mov edi, 255', why: 'exit_group(255)' },
    { bytes: 'b8 e7 00 00 00', code: 'mov eax, 231', why: '' },
    { bytes: '0f 05', code: 'syscall', why: '' },
  ]
}

/** A 32-bit constant as it lies in the code: lowest byte first. */
function word(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes.toString('hex')
}
