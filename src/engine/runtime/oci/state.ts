/** What the OCI command remembers of a container: one folder, one file, until `delete`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../../shared/errors.ts'
import { bootId, startTimeOf } from '../../kernel/process.ts'
import { fail } from '../errors.ts'

export const ociVersion = '1.2.0'

export interface ContainerState {
  /** Of this form of the file. */
  version: 1
  id: string
  bundle: string
  pid: number
  startTime: number | undefined
  bootId: string
  cgroupPath: string
  /** RFC 3339. */
  created: string
  annotations?: Record<string, string>
}

/** As the specification names them (runtime.md, "State"). */
export type Status = 'creating' | 'created' | 'running' | 'stopped'

export class StateStore {
  readonly root: string
  constructor(root: string) {
    this.root = root
  }

  folder(id: string): string {
    if (!/^[\w][\w+.-]*$/.test(id)) throw fail('E_CONTAINER_ID', { id })
    return join(this.root, id)
  }

  /** The FIFO at which a created container waits. */
  fifo(id: string): string {
    return join(this.folder(id), 'exec.fifo')
  }

  /** Takes the id. @throws E_CONTAINER_EXISTS */
  claim(id: string): void {
    const folder = this.folder(id)
    mkdirSync(this.root, { recursive: true, mode: 0o700 })
    try {
      mkdirSync(folder, { mode: 0o700 })
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') throw fail('E_CONTAINER_EXISTS', { id })
      throw error
    }
  }

  save(state: ContainerState): void {
    const path = join(this.folder(state.id), 'state.json')
    writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }

  /** @throws E_CONTAINER_UNKNOWN */
  load(id: string): ContainerState {
    try {
      return JSON.parse(readFileSync(join(this.folder(id), 'state.json'), 'utf8')) as ContainerState
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw fail('E_CONTAINER_UNKNOWN', { id })
      throw error
    }
  }

  statusOf(state: ContainerState): Status {
    if (state.bootId !== bootId() || !isAlive(state)) return 'stopped'
    return existsSync(this.fifo(state.id)) ? 'created' : 'running'
  }

  forget(id: string): void {
    rmSync(this.folder(id), { recursive: true, force: true })
  }

  list(): ContainerState[] {
    if (!existsSync(this.root)) return []
    return readdirSync(this.root).flatMap((id) =>
      existsSync(join(this.root, id, 'state.json')) ? [this.load(id)] : [],
    )
  }
}

/** A zombie has ended, though its number is not free yet. */
function isAlive(state: ContainerState): boolean {
  if (state.startTime === undefined || startTimeOf(state.pid) !== state.startTime) return false
  try {
    const stat = readFileSync(`/proc/${state.pid}/stat`, 'utf8')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return false
    throw error
  }
}
