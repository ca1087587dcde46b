/**
 * Named volumes of one engine: the driver "local", a folder each. Promises: a volume is there whole or not at
 * all, whenever the engine dies; one that a container uses is not removed. It knows no container: the engine
 * tells who uses what (`inUse`).
 */
import { join } from 'node:path'
import { newHexId } from '../../shared/ids.ts'
import { fail } from './errors.ts'
import { type Filters, matchesVolume, pruneFilters } from './filters.ts'
import { VolumeFiles, type VolumeRecord } from './records.ts'

/** An event as the Docker Engine API has it; whoever gets it adds scope and time. */
export interface VolumeEvent {
  Type: 'volume'
  Action: 'create' | 'destroy' | 'prune'
  Actor: { ID: string; Attributes: Record<string, string> }
}

export interface VolumeStoreOptions {
  /** `volumes` is a folder in it. */
  dataRoot: string
  log: { warn(fields: object, message: string): void }
  /** Milliseconds since 1970. */
  clock: { now(): number }
  emit: (event: VolumeEvent) => void
  /** Ids of the containers that have the volume; none when left out. */
  inUse?: (name: string) => string[]
}

/** Volume of the API. */
export interface Volume {
  Name: string
  Driver: string
  Mountpoint: string
  CreatedAt: string
  Labels: Record<string, string>
  Scope: 'local'
  Options: Record<string, string> | null
  /** Only where it was asked for. */
  UsageData?: { Size: number; RefCount: number }
}

/** VolumeCreateRequest of the API. */
export interface VolumeCreateBody {
  /** Made up when left out: an anonymous volume. */
  Name?: string
  Driver?: string
  DriverOpts?: Record<string, string> | null
  Labels?: Record<string, string> | null
}

/** As Docker marks volumes that no user has named. */
export const anonymousLabel = 'com.docker.volume.anonymous'

export class VolumeStore {
  #options: VolumeStoreOptions
  #files: VolumeFiles
  #records = new Map<string, VolumeRecord>()
  /** Creating, filling and removing of one volume come one after the other. */
  #queues = new Map<string, Promise<unknown>>()

  private constructor(options: VolumeStoreOptions) {
    this.#options = options
    this.#files = new VolumeFiles(join(options.dataRoot, 'volumes'))
  }

  /** Sweeps what a crash left half made or half removed. */
  static async open(options: VolumeStoreOptions): Promise<VolumeStore> {
    const store = new VolumeStore(options)
    const records = await store.#files.load((folder, problem) => {
      options.log.warn({ folder, problem }, 'a folder among the volumes is none')
    })
    for (const record of records) store.#records.set(record.name, record)
    return store
  }

  /**
   * Makes a volume; the one that is there where the name is taken.
   * @throws E_VOLUME_NAME, E_VOLUME_DRIVER, E_VOLUME_OPTION, E_VOLUME_IO
   */
  async create(body: VolumeCreateBody): Promise<Volume> {
    const name = body.Name || newHexId()
    if (body.Name && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/.test(name)) throw fail('E_VOLUME_NAME', { name })
    const driver = body.Driver || 'local'
    if (driver !== 'local') throw fail('E_VOLUME_DRIVER', { driver })
    const [option] = Object.keys(body.DriverOpts ?? {})
    if (option !== undefined) throw fail('E_VOLUME_OPTION', { name, option })
    return await this.#exclusively(name, async () => {
      const known = this.#records.get(name)
      if (known) return this.#show(known)
      const record: VolumeRecord = {
        version: 1,
        name,
        labels: { ...body.Labels, ...(body.Name ? {} : { [anonymousLabel]: '' }) },
        options: {},
        createdAt: new Date(this.#options.clock.now()).toISOString(),
      }
      await this.#files.create(record)
      this.#records.set(name, record)
      this.#emit('create', name, { driver: 'local' })
      return this.#show(record)
    })
  }

  /** In the order of their names. @throws E_VOLUME_FILTER */
  list(filters: Filters = {}): { Volumes: Volume[]; Warnings: string[] } {
    const volumes = [...this.#records.values()]
      .filter((record) => matchesVolume(record, filters, this.#usersOf(record.name).length > 0))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    return { Volumes: volumes.map((record) => this.#show(record)), Warnings: [] }
  }

  /** @throws E_NO_SUCH_VOLUME */
  inspect(name: string): Volume {
    return this.#show(this.#get(name))
  }

  /** The same with its size and how many containers have it, for /system/df. @throws E_NO_SUCH_VOLUME */
  async measure(name: string): Promise<Volume> {
    const volume = this.inspect(name)
    const size = await this.#files.sizeOf(name)
    return { ...volume, UsageData: { Size: size, RefCount: this.#usersOf(name).length } }
  }

  /**
   * @param force one that is not there is no failure then; one in use is all the same
   * @throws E_NO_SUCH_VOLUME, E_VOLUME_IN_USE, E_VOLUME_IO
   */
  async remove(name: string, { force = false }: { force?: boolean } = {}): Promise<void> {
    await this.#exclusively(name, async () => {
      if (force && !this.#records.has(name)) return
      this.#get(name)
      const users = this.#usersOf(name)
      if (users.length > 0) throw fail('E_VOLUME_IN_USE', { name, users })
      await this.#drop(name)
    })
  }

  /** Removes an anonymous volume that no other container has; leaves any other as it is. */
  async removeAnonymous(name: string): Promise<void> {
    await this.#exclusively(name, async () => {
      const isAnonymous = this.#records.get(name)?.labels[anonymousLabel] !== undefined
      if (isAnonymous && this.#usersOf(name).length === 0) await this.#drop(name)
    })
  }

  /**
   * Removes what no container has: anonymous volumes, all with the filter `all`.
   * @throws E_VOLUME_FILTER
   */
  async prune(filters: Filters = {}): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }> {
    const wanted = pruneFilters(filters, anonymousLabel)
    const deleted: string[] = []
    let reclaimed = 0
    for (const record of [...this.#records.values()].filter(wanted)) {
      await this.#exclusively(record.name, async () => {
        if (!this.#records.has(record.name) || this.#usersOf(record.name).length > 0) return
        reclaimed += await this.#files.sizeOf(record.name)
        await this.#drop(record.name)
        deleted.push(record.name)
      })
    }
    this.#emit('prune', '', { reclaimed: String(reclaimed) })
    return { VolumesDeleted: deleted.sort(), SpaceReclaimed: reclaimed }
  }

  /**
   * For a container: makes the volume where it is missing.
   * @returns where its files are
   * @throws what `create` throws
   */
  async ensure(request: {
    name?: string
    driver?: string
    options?: Record<string, string>
    labels?: Record<string, string>
  }): Promise<{ name: string; path: string; driver: string }> {
    const { Name, Mountpoint, Driver } = await this.create({
      Name: request.name,
      Driver: request.driver,
      DriverOpts: request.options,
      Labels: request.labels,
    })
    return { name: Name, path: Mountpoint, driver: Driver }
  }

  /**
   * Fills a volume that has nothing in it yet, as Docker does with what the image has at the mount's place.
   * @param fill gets the volume's folder
   * @throws E_NO_SUCH_VOLUME, and what `fill` throws
   */
  async populate(name: string, fill: (folder: string) => Promise<void>): Promise<void> {
    await this.#exclusively(name, async () => {
      this.#get(name)
      if (await this.#files.isEmpty(name)) await fill(this.#files.dataPath(name))
    })
  }

  async #drop(name: string): Promise<void> {
    await this.#files.remove(name)
    this.#records.delete(name)
    this.#emit('destroy', name, { driver: 'local' })
  }

  #get(name: string): VolumeRecord {
    const record = this.#records.get(name)
    if (!record) throw fail('E_NO_SUCH_VOLUME', { name })
    return record
  }

  #usersOf(name: string): string[] {
    return this.#options.inUse?.(name) ?? []
  }

  #show(record: VolumeRecord): Volume {
    return {
      Name: record.name,
      Driver: 'local',
      Mountpoint: this.#files.dataPath(record.name),
      CreatedAt: record.createdAt,
      Labels: record.labels,
      Scope: 'local',
      Options: Object.keys(record.options).length > 0 ? record.options : null,
    }
  }

  #emit(action: VolumeEvent['Action'], id: string, attributes: Record<string, string>): void {
    this.#options.emit({ Type: 'volume', Action: action, Actor: { ID: id, Attributes: attributes } })
  }

  async #exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(name) ?? Promise.resolve()
    const result = before.then(work, work)
    const end = result.catch(() => undefined)
    this.#queues.set(name, end)
    try {
      return await result
    } finally {
      if (this.#queues.get(name) === end) this.#queues.delete(name)
    }
  }
}
