/**
 * A storage folder of its own for a test, with the commands of tsmachine on it, a stand-in engine, and the proof
 * that nothing is left when it is released.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { localDriver } from '../../src/machine/drivers/local/driver.ts'
import { parseStat } from '../../src/machine/drivers/local/process.ts'
import { pathsOf, storageId } from '../../src/machine/paths.ts'
import type { MachineRecord } from '../../src/machine/record.ts'
import { Store } from '../../src/machine/store/store.ts'
import { type BinResult, type RunOptions, runBin } from './run-bin.ts'

/** Why local machines can't be made here, or undefined; said once, for those who wonder at skipped tests. */
export async function localSkipReason(): Promise<string | undefined> {
  try {
    await localDriver.check({})
    return undefined
  } catch (error) {
    const reason = (error as Error).message
    console.warn(`skipped: ${reason}`)
    return reason
  }
}

export class TestStorage {
  #folder: string | undefined
  readonly #hasOwnEngine: boolean

  /** @param hasOwnEngine false for a stand-in, which is quicker to bundle */
  constructor({ hasOwnEngine = false } = {}) {
    this.#hasOwnEngine = hasOwnEngine
  }

  /** Made on the first use, since a suite may be there with all its tests skipped. */
  get folder(): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'tsmachine-test-'))
    return this.#folder
  }

  get path(): string {
    return join(this.folder, 'storage')
  }

  get store(): Store {
    return new Store(pathsOf(this.path))
  }

  get env(): NodeJS.ProcessEnv {
    return {
      TSMACHINE_STORAGE_PATH: this.path,
      ...(this.#hasOwnEngine ? {} : { TSMACHINE_ENGINE: join(import.meta.dirname, 'machine-engine.ts') }),
      DOCKER_CONFIG: join(this.folder, 'docker'),
      SSH_AUTH_SOCK: '',
      HOME: this.folder,
      SHELL: '/bin/sh',
      // Compiled code is shared with all other runs.
      XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
    }
  }

  run(args: string[], more: Omit<RunOptions, 'cwd'> = {}): Promise<BinResult> {
    return runBin('tsmachine', args, { timeoutMs: 60_000, ...more, env: { ...this.env, ...more.env } })
  }

  /** The same, for a command that must succeed. */
  async ok(args: string[], more: { stdin?: string; env?: NodeJS.ProcessEnv } = {}): Promise<string> {
    const result = await this.run(args, more)
    if (result.code !== 0) {
      throw new Error(`tsmachine ${args.join(' ')}: exit ${result.code}\n${result.stdout}${result.stderr}`)
    }
    return result.stdout
  }

  /** The record of a machine as it is on the disk, or undefined. */
  record(name: string): MachineRecord | undefined {
    const path = join(this.path, 'machines', name, 'machine.json')
    if (!existsSync(path)) return undefined
    return JSON.parse(readFileSync(path, 'utf8')) as MachineRecord
  }

  /** Removes all machines and the folder. */
  async release(): Promise<void> {
    await this.run(['rm', '--all', '-f', '-y'])
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Everything in the kernel and in /run that still belongs to this storage. */
  leftovers(): string[] {
    const id = storageId(this.path)
    const ours = (text: string) => text.includes(id) || text.includes(this.path)
    const lines = (command: string, ...args: string[]) =>
      execFileSync(command, args, { encoding: 'utf8' }).split('\n').filter(Boolean)
    const veth = `tsv${id.slice(0, 4)}`
    return [
      ...lines('ip', '-o', 'link').filter((line) => ours(line) || line.includes(veth)),
      ...lines('ip', 'netns').filter(ours),
      ...lines('nft', 'list', 'tables').filter(ours),
      ...readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(ours),
      ...cgroupsOf(id),
      ...processesOf(id, this.path),
      ...(existsSync(`/run/tsmachine/${id}`) ? [`/run/tsmachine/${id}`] : []),
    ]
  }
}

/** The groups that a storage's machines share, one a hierarchy. */
export function cgroupsOf(id: string): string[] {
  return ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name))]
    .map((folder) => join(folder, `tsmachine-${id}`))
    .filter((path) => existsSync(path))
}

/** Processes in a host's cgroup, or with its files as their root. */
function processesOf(id: string, path: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        // One that has ended and that its new parent has not looked after yet.
        if (parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).state === 'Z') return false
        const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
        return cgroup.includes(id) || readlinkSync(`/proc/${pid}/root`).startsWith(path)
      } catch (error) {
        // It ended while it was looked at, or is a kernel thread without a root.
        if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
        throw error
      }
    })
    .map((pid) => `process ${pid}`)
}
