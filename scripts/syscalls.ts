/**
 * Writes src/engine/kernel/syscalls/*.ts from the kernel headers of Debian's linux-libc-dev packages (for
 * arm64 and arm: linux-libc-dev-arm64-cross, linux-libc-dev-armhf-cross). Calls that are newer than those
 * headers have one number on every architecture and are listed here.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

/** From set_mempolicy_home_node on, all architectures share their numbers (syscall.tbl of Linux 6.17). */
const newer: Record<string, number> = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
}
/** uretprobe is x86-64 only. */
const extra: Record<string, Record<string, number>> = { x64: { uretprobe: 335 } }

const sources: [name: string, header: string, includes: string[], doc: string][] = [
  ['x64', 'asm/unistd_64.h', ['/usr/include/x86_64-linux-gnu'], '64-bit x86'],
  ['x32', 'asm/unistd_x32.h', ['/usr/include/x86_64-linux-gnu'], 'x32, less its bit 30'],
  ['i386', 'asm/unistd_32.h', ['/usr/include/x86_64-linux-gnu'], '32-bit x86'],
  ['arm64', 'asm/unistd.h', ['/usr/aarch64-linux-gnu/include'], '64-bit ARM'],
  ['arm', 'asm/unistd.h', ['/usr/arm-linux-gnueabihf/include'], '32-bit ARM (EABI)'],
]

for (const [name, header, includes, doc] of sources) {
  // The compiler's own predefined macros decide what the generic header offers.
  const macros = {
    arm64: ['-U__x86_64__', '-D__aarch64__'],
    arm: ['-U__x86_64__', '-D__arm__', '-D__ARM_EABI__'],
  }
  const input = `#include <${header}>\n`
  const text = execFileSync(
    'cpp',
    [
      '-dM',
      '-nostdinc',
      ...includes.map((i) => `-I${i}`),
      ...(macros[name as keyof typeof macros] ?? []),
      '-',
    ],
    { input, encoding: 'utf8' },
  )
  const values = new Map<string, string>()
  for (const [, key, value] of text.matchAll(/^#define (\w+) (.+)$/gm)) values.set(key!, value!)
  values.set('__X32_SYSCALL_BIT', '0')
  const number = (value: string): number => {
    const plain = value.replace(/[()]/g, '').trim()
    return plain.split(/[+|]/).reduce((sum, part) => {
      const p = part.trim()
      return sum + (values.has(p) ? number(values.get(p)!) : Number(p))
    }, 0)
  }
  const table: Record<string, number> = {}
  for (const [key, value] of values) {
    const call = /^__(?:NR|ARM_NR)_(\w+)$/.exec(key)?.[1]
    if (!call || /^(syscalls|arch_specific_syscall|OABI|SYSCALL_|BASE|COMPAT)/.test(call)) continue
    table[call] = number(value)
  }
  Object.assign(table, newer, extra[name])
  const rows = Object.entries(table).sort((a, b) => a[1] - b[1])
  if (rows.some(([, n]) => !Number.isInteger(n))) throw new Error(`${name}: not a number among ${rows}`)
  writeFileSync(
    new URL(`../src/engine/kernel/syscalls/${name}.ts`, import.meta.url),
    `/** System call numbers of ${doc}. Made by scripts/syscalls.ts from the kernel's headers. */\n` +
      `export const ${name}: Readonly<Record<string, number>> = {\n` +
      `${rows.map(([k, n]) => `  ${k}: ${n},`).join('\n')}\n}\n`,
  )
}
