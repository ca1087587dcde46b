/** A container on disk: one JSON file in its own folder, replaced whole at each change. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errors.ts'
import type { ProcessRecord } from '../runtime/running.ts'
import type { ContainerConfig, ContainerState, EndpointRequest, HostConfig, MountPoint } from './types.ts'

export interface ContainerRecord {
  /** Of this form of the record. */
  version: 1
  id: string
  name: string
  /** RFC 3339 with nanoseconds. */
  created: string
  /** The image's id; `config.Image` is what the user wrote. */
  imageId: string
  /** Layers of the image, lowest first, relative to the layers' folder. */
  layers: string[]
  config: ContainerConfig
  hostConfig: HostConfig
  /** What was asked of each network, by its name or id. */
  endpoints: Record<string, EndpointRequest>
  mounts: MountPoint[]
  state: ContainerState
  restartCount: number
  /** A `stop` or `kill` by the user: no restart policy brings it back before the daemon's next start. */
  stoppedByUser: boolean
  /** While it runs. */
  process?: ProcessRecord
}

const fileName = 'container.json'

export class RecordFiles {
  readonly folder: string
  constructor(folder: string) {
    this.folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o710 })
  }

  folderOf(id: string): string {
    return join(this.folder, id)
  }

  /** No fsync: a machine that loses power has lost its containers' processes anyway, and the file is whole. */
  save(record: ContainerRecord): void {
    const path = join(this.folderOf(record.id), fileName)
    writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }

  /**
   * All readable records. `onEmpty` gets the folders that hold none (a crash within create or remove);
   * `onUnreadable` those with one that this version can't read, which may be another version's.
   */
  load(
    onEmpty: (folder: string) => void,
    onUnreadable: (folder: string, error: unknown) => void,
  ): ContainerRecord[] {
    return readdirSync(this.folder).flatMap((id) => {
      const folder = join(this.folder, id)
      try {
        const record = JSON.parse(readFileSync(join(folder, fileName), 'utf8')) as ContainerRecord
        if (record.version !== 1) throw new Error(`it has version ${record.version}, this engine reads 1`)
        return [record]
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') onEmpty(folder)
        else onUnreadable(folder, error)
        return []
      }
    })
  }

  /** Removes the folder, its record first: half a removal is then seen as what it is. */
  remove(id: string): void {
    try {
      rmSync(join(this.folderOf(id), fileName))
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
    rmSync(this.folderOf(id), { recursive: true, force: true })
  }
}
