/** `create` of the OCI command: everything up to the user's program, which waits for `start`. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../../shared/errors.ts'
import { hostArch } from '../../kernel/arch.ts'
import { loadDeviceProgram } from '../../kernel/device-filter.ts'
import { connectUnix, makeFifo } from '../../kernel/libc.ts'
import { bootId, reapPidfd, startTimeOf } from '../../kernel/process.ts'
import { compileSeccomp } from '../../kernel/seccomp/compiler.ts'
import { seccompFlags } from '../../kernel/seccomp/profile.ts'
import { makeCgroupParent, removeCgroup } from '../cgroups/tree.ts'
import { defaultDeviceRules } from '../defaults.ts'
import { fail } from '../errors.ts'
import { detectFeatures } from '../features.ts'
import { launch } from '../launch.ts'
import { planContainer } from '../plan/container.ts'
import { type Features, firstExtraFd, keeperFd } from '../plan/context.ts'
import type { Resources, Spec } from '../spec.ts'
import type { ContainerState, StateStore } from './state.ts'

export interface CreateOptions {
  id: string
  bundle: string
  pidFile?: string
  consoleSocket?: string
}

/**
 * Makes the container. On failure nothing of it is left.
 * @throws E_CONTAINER_EXISTS, E_SPEC, E_START, E_NO_EXECUTABLE ...
 */
export async function createContainer(store: StateStore, options: CreateOptions): Promise<ContainerState> {
  const bundle = resolve(options.bundle)
  const spec = readSpec(bundle)
  const features = detectFeatures()
  const cgroupPath = spec.linux?.cgroupsPath ?? `/${options.id}`
  store.claim(options.id)
  try {
    makeFifo(store.fifo(options.id), 0o600)
    const pid = await startWaiting(
      store,
      options,
      { ...spec, linux: { ...spec.linux, cgroupsPath: cgroupPath } },
      features,
    )
    const state: ContainerState = {
      version: 1,
      id: options.id,
      bundle,
      pid,
      startTime: startTimeOf(pid),
      bootId: bootId(),
      cgroupPath,
      created: new Date().toISOString(),
      annotations: spec.annotations,
    }
    store.save(state)
    if (options.pidFile) writeFileSync(options.pidFile, String(pid))
    return state
  } catch (error) {
    await removeCgroup(features.cgroups, cgroupPath)
    store.forget(options.id)
    throw error
  }
}

function readSpec(bundle: string): Spec {
  const path = join(bundle, 'config.json')
  let spec: Spec
  try {
    spec = JSON.parse(readFileSync(path, 'utf8')) as Spec
  } catch (error) {
    throw fail('E_SPEC', { field: path, problem: messageOf(error) }, error)
  }
  if (!/^1\.\d+\.\d+/.test(spec.ociVersion ?? '')) {
    throw fail('E_SPEC', { field: 'ociVersion', problem: `${spec.ociVersion} is not supported, 1.x is` })
  }
  if (!spec.root?.path) throw fail('E_SPEC', { field: 'root.path', problem: 'is missing' })
  if (!spec.process) throw fail('E_SPEC', { field: 'process', problem: 'is missing' })
  if (spec.hooks && Object.values(spec.hooks).some((list) => list.length > 0)) {
    throw fail('E_SPEC', { field: 'hooks', problem: 'are not supported' })
  }
  const root = {
    ...spec.root,
    path: isAbsolute(spec.root.path) ? spec.root.path : join(bundle, spec.root.path),
  }
  const mounts = spec.mounts?.map((mount) =>
    mount.options?.some((o) => o === 'bind' || o === 'rbind') && mount.source
      ? { ...mount, source: resolve(bundle, mount.source) }
      : mount,
  )
  return { ...spec, root, mounts }
}

async function startWaiting(
  store: StateStore,
  { id, consoleSocket }: CreateOptions,
  spec: Spec,
  features: Features,
): Promise<number> {
  const path = spec.linux!.cgroupsPath!
  const inherited = makeCgroupParent(features.cgroups, dirname(path))
  const resources = withStandardDevices(spec.linux?.resources ?? {})
  const opened: number[] = []
  const socket = spec.process!.terminal && consoleSocket ? connectUnix(consoleSocket) : undefined
  try {
    const nothing = openSync('/dev/null', 'r+')
    opened.push(nothing)
    const extra: number[] = []
    if (features.cgroups.version === 2) {
      const program = loadDeviceProgram(resources.devices ?? [])
      opened.push(program)
      extra.push(program)
    }
    if (socket !== undefined) {
      opened.push(socket)
      extra.push(socket)
    }
    const seccomp = spec.linux?.seccomp
    const tape = planContainer({
      id,
      spec,
      features,
      cgroup: {
        path,
        resources,
        ...inherited,
        ...(features.cgroups.version === 2 ? { deviceProgramFd: firstExtraFd } : {}),
      },
      seccomp: seccomp && { program: compileSeccomp(seccomp, hostArch()), flags: seccompFlags(seccomp) },
      extraFds: extra.length,
      fifo: store.fifo(id),
      ...(socket !== undefined ? { consoleFd: firstExtraFd + extra.length - 1 } : {}),
    })
    const { report: _, ...unused } = keeperFd
    const fds = new Map([
      ...[0, 1, 2].map((fd) => [fd, fd] as const),
      ...Object.values(unused).map((fd) => [fd, nothing] as const),
      ...extra.map((fd, i) => [firstExtraFd + i, fd] as const),
    ])
    const started = await launch({
      tape,
      argv: ['tshost-oci', id],
      program: spec.process!.args?.[0] ?? '',
      fds,
    })
    await reapStarter(started.keeperPidfd)
    closeSync(started.keeperPidfd)
    return started.pid
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

/** The process that cloned the container ends at once; it is our child. */
async function reapStarter(pidfd: number): Promise<void> {
  for (let i = 0; i < 500 && reapPidfd(pidfd) === undefined; i++) await sleep(2)
}

/** "The runtime MUST supply" the default devices, whatever the list says (config-linux.md). */
function withStandardDevices(resources: Resources): Resources {
  return {
    ...resources,
    devices: [...(resources.devices ?? []), ...defaultDeviceRules.filter((rule) => rule.allow)],
  }
}
