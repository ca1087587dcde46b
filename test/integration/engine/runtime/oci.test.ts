import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cgroupFolders, detectHierarchy } from '../../../../src/engine/runtime/cgroups/hierarchy.ts'
import type { Spec } from '../../../../src/engine/runtime/spec.ts'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { makeRootfs, makeSpec } from '../../../support/bundle.ts'
import { missing, titled } from '../../../support/needs.ts'

const reason = missing('busybox')
const command = join(import.meta.dirname, '../../../../bin/tshost.js')

describe.skipIf(reason)(titled('tshost oci', reason), () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmachine-oci-'))
  const parent = `/tshost-oci-test-${process.pid}`
  const oci = (...args: string[]) =>
    spawnSync(command, ['oci', '--root', join(folder, 'state'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      timeout: 20_000,
    })
  const state = (id: string) => JSON.parse(oci('state', id).stdout) as { status: string; pid: number }
  let count = 0
  const bundle = (args: string[], change: (spec: Spec) => void = () => undefined) => {
    const path = join(folder, `b${count++}`)
    mkdirSync(path)
    const spec = makeSpec(join(folder, 'rootfs'), args, (s) => {
      s.linux!.cgroupsPath = `${parent}/${count}`
      change(s)
    })
    writeFileSync(join(path, 'config.json'), JSON.stringify(spec))
    return path
  }
  const cgroups = () =>
    cgroupFolders(detectHierarchy(), parent).flatMap((f) =>
      readdirSync(f, { withFileTypes: true }).filter((e) => e.isDirectory()),
    )

  beforeAll(() => {
    mkdirSync(join(folder, 'rootfs'))
    makeRootfs(join(folder, 'rootfs'))
  })
  afterAll(() => {
    expect(cgroups()).toEqual([])
    for (const path of cgroupFolders(detectHierarchy(), parent)) rmdirSync(path)
    rmSync(folder, { recursive: true, force: true })
  })

  it('runs a bundle with the streams it was given and ends with its exit code', () => {
    const { status, stdout, stderr } = oci(
      'run',
      '-b',
      bundle(['sh', '-c', 'echo out; echo err >&2; exit 5']),
      'r',
    )
    expect([status, stdout, stderr]).toEqual([5, 'out\n', 'err\n'])
    expect(oci('list').stdout).toBe('[]\n')
  })

  it('creates, starts, tells the state, kills and deletes', async () => {
    const file = join(folder, 'pid')
    // The container keeps the streams that create was given, so they must not be pipes that somebody reads to the end.
    const created = spawnSync(
      command,
      [
        'oci',
        '--root',
        join(folder, 'state'),
        'create',
        '-b',
        bundle(['sleep', '60']),
        '--pid-file',
        file,
        'c',
      ],
      { stdio: 'ignore', timeout: 20_000 },
    )
    expect(created.status).toBe(0)
    expect(state('c')).toMatchObject({ status: 'created', pid: Number(readFileSync(file, 'utf8')) })
    expect(oci('delete', 'c').status).toBe(0)

    spawnSync(
      command,
      ['oci', '--root', join(folder, 'state'), 'create', '-b', bundle(['sleep', '60']), 'c'],
      { stdio: 'ignore' },
    )
    expect(oci('start', 'c').status).toBe(0)
    expect(state('c').status).toBe('running')
    expect(oci('start', 'c')).toMatchObject({ status: 1, stderr: expect.stringContaining('c is running') })
    expect(oci('delete', 'c')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('must be stopped'),
    })
    expect(oci('kill', 'c', 'KILL').status).toBe(0)
    await waitFor('the container to stop', () => (state('c').status === 'stopped' ? true : undefined), {
      timeoutMs: 5000,
    })
    expect(oci('kill', 'c').status).toBe(1)
    expect(oci('delete', 'c').status).toBe(0)
    expect(oci('state', 'c')).toMatchObject({ status: 1, stderr: 'tshost oci: container c does not exist\n' })
  })

  it.each([
    ['a missing program', ['/no/such'], undefined, 127, 'no such file or directory'],
    [
      'a namespace that is there twice',
      ['true'],
      (s: Spec) => s.linux!.namespaces!.push({ type: 'pid' }),
      1,
      'pid is there twice',
    ],
    [
      'no mount namespace',
      ['true'],
      (s: Spec) => {
        s.linux!.namespaces = [{ type: 'pid' }]
      },
      1,
      'a mount namespace is needed',
    ],
    [
      'a relative folder',
      ['true'],
      (s: Spec) => {
        s.process!.cwd = 'tmp'
      },
      1,
      'process.cwd: must be an absolute path',
    ],
    [
      'a foreign version',
      ['true'],
      (s: Spec) => {
        s.ociVersion = '2.0.0'
      },
      1,
      '2.0.0 is not supported',
    ],
    [
      "another's sysctl",
      ['true'],
      (s: Spec) => {
        s.linux!.sysctl = { 'vm.swappiness': '1' }
      },
      1,
      'vm.swappiness is not in a namespace',
    ],
    [
      'a swap limit below the memory limit',
      ['true'],
      (s: Spec) => {
        s.linux!.resources!.memory = { limit: 64 << 20, swap: 32 << 20 }
      },
      1,
      'memory.memsw.limit_in_bytes: EINVAL',
    ],
    [
      'hooks',
      ['true'],
      (s: Spec) => {
        s.hooks = { prestart: [{ path: '/bin/true' }] }
      },
      1,
      'hooks: are not supported',
    ],
  ] as [string, string[], ((s: Spec) => void) | undefined, number, string][])(
    'refuses %s in one line and leaves nothing',
    (_, args, change, exit, words) => {
      const { status, stdout, stderr } = oci('create', '-b', bundle(args, change), 'bad')
      expect([status, stdout]).toEqual([exit, ''])
      expect(stderr).toContain(words)
      expect(stderr.trim().split('\n')).toHaveLength(1)
      expect(oci('list').stdout).toBe('[]\n')
      expect(cgroups()).toEqual([])
    },
  )

  it('refuses an id that is taken, odd, or would leave the folder', () => {
    const path = bundle(['sleep', '60'])
    spawnSync(command, ['oci', '--root', join(folder, 'state'), 'create', '-b', path, 'twice'], {
      stdio: 'ignore',
    })
    expect(oci('create', '-b', path, 'twice')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('exists already'),
    })
    expect(oci('delete', '--force', 'twice').status).toBe(0)
    expect(oci('create', '-b', path, '../up')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('invalid container id'),
    })
    expect(oci('state', '..')).toMatchObject({ status: 1 })
  })

  it('gives a terminal to whoever listens at the console socket', async () => {
    const path = bundle(['sh', '-c', 'stty size; tty; echo typed: $(head -n1)'], (s) => {
      Object.assign(s.process!, { terminal: true, consoleSize: { height: 33, width: 99 } })
    })
    const { stdout } = await promisify(execFile)(
      'python3',
      ['-c', consoleReader, command, join(folder, 'state'), path, join(folder, 'console')],
      { timeout: 20_000 },
    )
    expect(stdout.replaceAll('\r', '')).toContain('33 99\n/dev/pts/0\n')
    expect(stdout.replaceAll('\r', '')).toContain('typed: hello\n')
    expect(oci('delete', '--force', 'tty').status).toBe(0)
  })
})

/** What conmon does: listens, takes the master from the message, types a line and reads until the end. */
const consoleReader = `
import array, os, socket, subprocess, sys
command, root, bundle, path = sys.argv[1:]
server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen(1)
base = [command, 'oci', '--root', root]
subprocess.run(base + ['create', '-b', bundle, '--console-socket', path, 'tty'], check=True)
peer, _ = server.accept()
_, control, _, _ = peer.recvmsg(100, socket.CMSG_SPACE(4))
master = array.array('i', control[0][2][:4])[0]
subprocess.run(base + ['start', 'tty'], check=True)
os.write(master, b'hello\\n')
out = b''
try:
    while True:
        piece = os.read(master, 4096)
        if not piece: break
        out += piece
except OSError: pass
sys.stdout.write(out.decode())
`
