/**
 * `npm run test:vm [-- x64|arm64]`: the runtime's tests on Debian's own kernel under qemu, by software
 * emulation, where cgroup v2 is real and the architecture may be another.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { build } from 'esbuild'
import { missing } from '../support/needs.ts'
import { makeInitramfs } from './initramfs.ts'
import { fetchParts, type GuestArch } from './parts.ts'

const root = join(import.meta.dirname, '../..')
const timeoutMs = 600_000

const machines: Record<GuestArch, { command: string; args: string[]; console: string }> = {
  x64: { command: 'qemu-system-x86_64', args: ['-M', 'q35', '-cpu', 'max'], console: 'ttyS0' },
  arm64: {
    command: 'qemu-system-aarch64',
    args: ['-M', 'virt', '-cpu', 'max,pauth-impdef=on'],
    console: 'ttyAMA0',
  },
}

async function bundleSuite(folder: string): Promise<string> {
  const out = join(folder, 'suite')
  await build({
    entryPoints: {
      suite: join(root, 'test/vm/suite.ts'),
      'poll-thread': join(root, 'src/engine/kernel/poll-thread.ts'),
    },
    outdir: out,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    alias: { vitest: join(root, 'test/vm/vitest.ts') },
    banner: {
      js: "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url), __dirname = import.meta.dirname, __filename = import.meta.filename;",
    },
    plugins: [
      {
        // koffi's own loader looks for its native part in a tree of packages, which the guest has not.
        name: 'koffi',
        setup: (b) => {
          b.onResolve({ filter: /^koffi$/ }, () => ({ path: 'koffi', namespace: 'guest' }))
          b.onLoad({ filter: /.*/, namespace: 'guest' }, () => ({
            contents:
              "import { createRequire } from 'node:module'\nexport default createRequire(import.meta.url)('./koffi.node')",
          }))
        },
      },
    ],
    logLevel: 'error',
  })
  return out
}

/** Runs one guest. @returns its count of tests */
async function runGuest(arch: GuestArch): Promise<{ passed: number; failed: number; skipped: number }> {
  const parts = fetchParts(arch)
  const folder = join(root, 'node_modules/.cache/vm', arch, 'build')
  const initrd = makeInitramfs(
    parts,
    arch,
    await bundleSuite(join(root, 'node_modules/.cache/vm', arch)),
    folder,
  )
  const { command, args, console: tty } = machines[arch]
  const started = performance.now()
  const guest = spawn(
    command,
    [
      ...args,
      '-m',
      '1536',
      '-smp',
      '2',
      '-nographic',
      '-no-reboot',
      '-nodefaults',
      '-serial',
      'stdio',
      '-kernel',
      parts.kernel,
      '-initrd',
      initrd,
      '-append',
      `console=${tty} quiet panic=-1`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const timer = setTimeout(() => guest.kill('SIGKILL'), timeoutMs)
  let output = ''
  guest.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (process.env.VERBOSE) process.stdout.write(text)
  })
  await new Promise((resolve) => guest.once('exit', resolve))
  clearTimeout(timer)
  const count = /guest: (\d+) passed, (\d+) failed, (\d+) skipped/.exec(output)
  if (count?.[2] !== '0') console.log(output)
  const [passed = 0, failed = 1, skipped = 0] = (count ?? []).slice(1).map(Number)
  console.log(
    `${arch}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${Math.round((performance.now() - started) / 1000)} s`,
  )
  return { passed, failed, skipped }
}

const wanted = (process.argv.slice(2) as GuestArch[]).filter((a) => a in machines)
const total = { passed: 0, failed: 0, skipped: 0 }
for (const arch of wanted.length > 0 ? wanted : (Object.keys(machines) as GuestArch[])) {
  const reason = missing(machines[arch].command, 'cpio', 'depmod')
  if (reason) {
    console.log(`skipped: the ${arch} guest ${reason}`)
    total.skipped++
    continue
  }
  const count = await runGuest(arch)
  for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += count[key]
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed > 0 ? 1 : 0
