/**
 * The machine records of one storage folder: one file each, written atomically through conf.
 * Reading needs no lock: a reader sees the old record or the new one. Whoever changes a machine holds its lock
 * (`withMachine`); names are given out by the file system, so two creates at once can't take the same one.
 */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { makePrivateFolder, readIfThere, syncFolder } from '../../shared/files.ts'
import { fail } from '../errors.ts'
import type { Paths } from '../paths.ts'
import type { MachineRecord } from '../record.ts'
import { withLock } from './lock.ts'
import { migrateRecord } from './migrations.ts'

/** A record, or why there is none to be had from its file. */
export type Listed = { name: string; record: MachineRecord } | { name: string; error: Error }

export class Store {
  readonly paths: Paths

  constructor(paths: Paths) {
    this.paths = paths
  }

  /** All machines in the order of their names; an unreadable record is listed with its error. */
  async list(): Promise<Listed[]> {
    const names = await readdir(this.paths.machines).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return []
      throw this.#storageFailure(this.paths.storage, error)
    })
    const listed = await Promise.all(
      names.filter(isMachineName).map(async (name): Promise<Listed | undefined> => {
        try {
          const record = await this.find(name)
          return record && { name, record }
        } catch (error) {
          return { name, error: error as Error }
        }
      }),
    )
    return listed
      .filter((item) => item !== undefined)
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
  }

  /** @throws E_MACHINE_UNKNOWN, E_RECORD_BROKEN, E_RECORD_NEWER */
  async get(name: string): Promise<MachineRecord> {
    const record = await this.find(name)
    if (!record) throw fail('E_MACHINE_UNKNOWN', { name })
    return record
  }

  /** The record, or undefined where there is none of this name. */
  async find(name: string): Promise<MachineRecord | undefined> {
    if (!isMachineName(name)) return undefined
    const path = this.paths.machine(name).record
    try {
      const text = await readIfThere(path)
      if (text === undefined) return undefined
      return migrateRecord(JSON.parse(text), path)
    } catch (error) {
      if (error instanceof SyntaxError) throw fail('E_RECORD_BROKEN', { path, why: messageOf(error) }, error)
      throw this.#storageFailure(path, error)
    }
  }

  /**
   * Writes the record; it is on the disk when the promise is fulfilled.
   * @throws E_STORAGE where the disk is full or may not be written to
   */
  async save(record: MachineRecord): Promise<void> {
    const { folder } = this.paths.machine(record.name)
    try {
      const { default: Conf } = await import('conf')
      const file = new Conf<Record<string, unknown>>({
        cwd: folder,
        configName: 'machine',
        configFileMode: 0o600,
        accessPropertiesByDotNotation: false,
        deserialize: () => ({}),
      })
      file.store = { ...record }
      await syncFolder(folder)
    } catch (error) {
      throw this.#storageFailure(folder, error)
    }
  }

  /**
   * Takes the name for a new machine.
   * @returns false where the name is taken
   * @throws E_MACHINE_NAME, E_STORAGE
   */
  async reserve(name: string): Promise<boolean> {
    if (!isMachineName(name)) throw fail('E_MACHINE_NAME', { name })
    try {
      await makePrivateFolder(this.paths.storage)
      await makePrivateFolder(this.paths.machines)
      await mkdir(this.paths.machine(name).folder, { mode: 0o700 })
      await syncFolder(this.paths.machines)
      return true
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false
      throw this.#storageFailure(this.paths.storage, error)
    }
  }

  /** Removes the machine's folder with everything in it; nothing there is fine. */
  async remove(name: string): Promise<void> {
    const { folder } = this.paths.machine(name)
    await rm(folder, { recursive: true, force: true })
    await syncFolder(dirname(folder))
  }

  /** Runs `work` while no other tsmachine changes this machine. */
  async withMachine<T>(name: string, work: () => Promise<T>, timeoutMs = 8_000): Promise<T> {
    return withLock(join(this.paths.locks, `machine-${name}`), { what: `machine "${name}"`, timeoutMs }, work)
  }

  /** Runs `work` while no other tsmachine changes what all machines share: CA, addresses, bundles. */
  async withStorage<T>(work: () => Promise<T>, timeoutMs = 60_000): Promise<T> {
    await makePrivateFolder(this.paths.locks).catch((error: unknown) => {
      throw this.#storageFailure(this.paths.storage, error)
    })
    return withLock(join(this.paths.locks, 'storage'), { what: this.paths.storage, timeoutMs }, work)
  }

  #storageFailure(path: string, error: unknown): Error {
    const code = errnoOf(error)
    const why = code && reasons[code]
    return why ? fail('E_STORAGE', { path, why }, error) : (error as Error)
  }
}

const reasons: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'no folder can be made there',
  EEXIST: 'it is a file',
  ENOTDIR: 'a part of its path is a file',
}

/** Letters, digits, dots and dashes, as host names allow them; the first and last one a letter or digit. */
export function isMachineName(name: string): boolean {
  return /^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/.test(name)
}
