/** A root file system of busybox, Docker's default specification over it, and a way to run it and look. */
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostArch } from '../../src/engine/kernel/arch.ts'
import { loadDeviceProgram } from '../../src/engine/kernel/device-filter.ts'
import { Poll } from '../../src/engine/kernel/poll.ts'
import { compileSeccomp } from '../../src/engine/kernel/seccomp/compiler.ts'
import { cgroupFolders } from '../../src/engine/runtime/cgroups/hierarchy.ts'
import { makeCgroupParent, removeCgroup } from '../../src/engine/runtime/cgroups/tree.ts'
import { defaultSeccomp } from '../../src/engine/runtime/default-seccomp.ts'
import * as defaults from '../../src/engine/runtime/defaults.ts'
import type { ExitStatus } from '../../src/engine/runtime/exit-record.ts'
import { detectFeatures } from '../../src/engine/runtime/features.ts'
import { readChunks } from '../../src/engine/runtime/logs/reader.ts'
import { spoolPaths } from '../../src/engine/runtime/logs/spool.ts'
import { planContainer } from '../../src/engine/runtime/plan/container.ts'
import { firstExtraFd } from '../../src/engine/runtime/plan/context.ts'
import type { OverlayRoot } from '../../src/engine/runtime/plan/root.ts'
import { type Running, startProcess } from '../../src/engine/runtime/running.ts'
import type { Spec } from '../../src/engine/runtime/spec.ts'
import { within } from '../../src/shared/deadline.ts'
import { which } from './needs.ts'

/** The programs of busybox that the tests call. */
export const applets =
  'sh true false echo cat ls mount id ps hostname env sleep stat grep head tail wc yes seq dd touch mkdir mknod rm cp mv ln chmod chown kill nc ip wget httpd nslookup ping test sed awk tr sort tty stty readlink dirname sync date printf find du df free umount unshare chroot ulimit nproc md5sum sha256sum vi less top init getty'.split(
    ' ',
  )

/** Makes `folder` a root file system with busybox in /bin. */
export function makeRootfs(folder: string): void {
  for (const name of ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp', 'usr', 'var']) {
    mkdirSync(join(folder, name), { recursive: true })
  }
  copyFileSync(which('busybox')!, join(folder, 'bin/busybox'))
  for (const name of applets) symlinkSync('busybox', join(folder, 'bin', name))
  writeFileSync(
    join(folder, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n',
  )
  writeFileSync(join(folder, 'etc/group'), 'root:x:0:\nweb:x:1000:\nwheel:x:10:web\n')
}

/** A specification with Docker's defaults; `change` edits it. */
export function makeSpec(
  rootfs: string,
  args: string[],
  change: (spec: Spec) => void = () => undefined,
): Spec {
  const caps = [...defaults.defaultCapabilities]
  const spec: Spec = {
    ociVersion: '1.0.2',
    hostname: 'box',
    root: { path: rootfs },
    process: {
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'],
      cwd: '/',
      capabilities: { bounding: caps, effective: caps, permitted: caps },
      oomScoreAdj: 0,
    },
    mounts: defaults.defaultMounts(),
    linux: {
      namespaces: defaults.defaultNamespaces.map((type) => ({ type })),
      maskedPaths: [...defaults.defaultMaskedPaths],
      readonlyPaths: [...defaults.defaultReadonlyPaths],
      resources: { devices: [...defaults.defaultDeviceRules] },
      seccomp: defaultSeccomp(caps, hostArch()),
    },
  }
  change(spec)
  return spec
}

export interface RunResult {
  status: ExitStatus
  stdout: string
  stderr: string
}

export interface RunOptions {
  change?: (spec: Spec) => void
  overlay?: OverlayRoot
  stdin?: boolean
  timeoutMs?: number
}

/** Runs containers by the runtime alone, without a daemon; disposing removes everything. */
export class RuntimeBench {
  readonly features = detectFeatures()
  readonly poll = new Poll()
  readonly folder = mkdtempSync(join(tmpdir(), 'tsmachine-runtime-'))
  readonly rootfs = join(this.folder, 'rootfs')
  readonly cgroupParent = `/tshost-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`
  private readonly parent = makeCgroupParent(this.features.cgroups, this.cgroupParent)
  private readonly filters = new Map<string, Buffer>()
  private count = 0

  constructor() {
    mkdirSync(this.rootfs)
    makeRootfs(this.rootfs)
  }

  /** Starts a container and returns it with a promise of its end. */
  async start(args: string[], options: RunOptions = {}) {
    const id = `t${this.count++}`
    const folder = join(this.folder, id)
    mkdirSync(folder)
    const spec = makeSpec(this.rootfs, args, options.change)
    const cgroupPath = `${this.cgroupParent}/${id}`
    const v2 = this.features.cgroups.version === 2
    const program = v2 ? loadDeviceProgram(spec.linux?.resources?.devices ?? []) : undefined
    const tape = planContainer({
      id,
      spec: { ...spec, linux: { ...spec.linux, cgroupsPath: cgroupPath } },
      features: this.features,
      overlay: options.overlay,
      cgroup: {
        path: cgroupPath,
        resources: spec.linux?.resources ?? {},
        ...this.parent,
        deviceProgramFd: v2 ? firstExtraFd : undefined,
      },
      extraFds: v2 ? 1 : 0,
      seccomp: spec.linux?.seccomp && { program: this.filter(spec), flags: 0 },
    })
    let ended: (status: ExitStatus) => void
    const end = new Promise<ExitStatus>((resolve) => {
      ended = resolve
    })
    const cleanup = () => removeCgroup(this.features.cgroups, cgroupPath)
    let running: Running
    try {
      running = await startProcess({
        tape,
        argv: ['tshost-keeper', 'test', id],
        program: args[0]!,
        stdin: options.stdin ?? false,
        terminal: spec.process?.terminal ?? false,
        folder,
        exitRecordPath: join(folder, 'exit'),
        extraFds: program === undefined ? [] : [program],
        poll: this.poll,
        onExit: (status) => ended(status),
      })
    } catch (error) {
      await cleanup()
      throw error
    } finally {
      if (program !== undefined) closeSync(program)
    }
    return { id, folder, running, end: end.finally(cleanup), cgroupPath, spec }
  }

  /** Runs a container to its end. */
  async run(args: string[], options: RunOptions = {}): Promise<RunResult> {
    const { end, folder } = await this.start(args, options)
    const status = await within(`${args.join(' ')} to end`, options.timeoutMs ?? 20_000, end)
    return { status, ...(await outputOf(folder)) }
  }

  /** Runs a shell script in a container; returns its standard output. @throws when it fails */
  async sh(script: string, options: RunOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.run(['sh', '-c', script], options)
    if (status.exitCode !== 0) throw new Error(`exit ${status.exitCode}: ${stdout}${stderr}`)
    return stdout
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.poll.stop()
    for (const folder of cgroupFolders(this.features.cgroups, this.cgroupParent)) rmdirSync(folder)
    rmSync(this.folder, { recursive: true, force: true })
  }

  private filter(spec: Spec): Buffer {
    const key = JSON.stringify(spec.linux!.seccomp)
    const known = this.filters.get(key) ?? compileSeccomp(spec.linux!.seccomp!, hostArch())
    this.filters.set(key, known)
    return known
  }
}

/** What a container wrote, from its spool. */
export async function outputOf(folder: string): Promise<{ stdout: string; stderr: string }> {
  const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  for await (const chunk of readChunks(spoolPaths(folder))) parts[chunk.stream].push(chunk.data)
  return { stdout: Buffer.concat(parts.stdout).toString(), stderr: Buffer.concat(parts.stderr).toString() }
}

/** The machine's mounts, to compare before and after. */
export function mountCount(): number {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length
}
