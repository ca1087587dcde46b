/**
 * Volumes on the disk: `volumes/NAME/_data` is the volume, `volumes/NAME/volume.json` says what it is. A
 * volume gets its name, and loses it, by one rename: what has another name is half made or half removed.
 */
import { execFile } from 'node:child_process'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../../shared/errors.ts'
import { readIfThere, syncFolder, writeFileAtomic } from '../../shared/files.ts'
import { newHexId } from '../../shared/ids.ts'
import { fail } from './errors.ts'

export interface VolumeRecord {
  version: 1
  name: string
  labels: Record<string, string>
  options: Record<string, string>
  /** RFC 3339. */
  createdAt: string
}

const unfinishedPrefix = '.new-'
const removedPrefix = '.old-'

export class VolumeFiles {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  /** The folder that containers get. */
  dataPath(name: string): string {
    return join(this.folder, name, '_data')
  }

  /** All volumes; `onBroken` gets the folders that are none. What a crash left half done is swept. */
  async load(onBroken: (folder: string, problem: string) => void): Promise<VolumeRecord[]> {
    await mkdir(this.folder, { recursive: true, mode: 0o701 })
    const records: VolumeRecord[] = []
    for (const name of await readdir(this.folder)) {
      const path = join(this.folder, name)
      if (name.startsWith(unfinishedPrefix) || name.startsWith(removedPrefix)) {
        await removeTree(path)
        continue
      }
      const record = await readRecord(join(path, 'volume.json')).catch((error: unknown) => messageOf(error))
      if (typeof record === 'string') onBroken(path, record)
      else records.push({ ...record, name })
    }
    return records
  }

  /** @throws E_VOLUME_IO; nothing is left then */
  async create(record: VolumeRecord): Promise<void> {
    const unfinished = join(this.folder, `${unfinishedPrefix}${newHexId().slice(0, 16)}`)
    try {
      await mkdir(unfinished, { mode: 0o701 })
      await mkdir(join(unfinished, '_data'), { mode: 0o755 })
      await writeFileAtomic(join(unfinished, 'volume.json'), `${JSON.stringify(record, undefined, 1)}\n`)
      await rename(unfinished, join(this.folder, record.name))
      await syncFolder(this.folder)
    } catch (error) {
      await removeTree(unfinished)
      throw fail('E_VOLUME_IO', { name: record.name, what: 'create', errno: messageOf(error) }, error)
    }
  }

  /** @throws E_VOLUME_IO */
  async remove(name: string): Promise<void> {
    const removed = join(this.folder, `${removedPrefix}${newHexId().slice(0, 16)}`)
    try {
      await rename(join(this.folder, name), removed)
      await removeTree(removed)
    } catch (error) {
      throw fail('E_VOLUME_IO', { name, what: 'remove', errno: messageOf(error) }, error)
    }
  }

  /** True where the volume has nothing in it yet. */
  async isEmpty(name: string): Promise<boolean> {
    return (await readdir(this.dataPath(name))).length === 0
  }

  /** Bytes on the disk. */
  async sizeOf(name: string): Promise<number> {
    const { stdout } = await promisify(execFile)('du', ['-s', '-B1', '--', this.dataPath(name)])
    return Number.parseInt(stdout, 10) || 0
  }
}

/** Node's own rm takes names for UTF-8, and a container's files may have any. */
async function removeTree(path: string): Promise<void> {
  await promisify(execFile)('rm', ['-rf', '--', path])
}

async function readRecord(path: string): Promise<VolumeRecord> {
  const text = await readIfThere(path)
  if (text === undefined) throw new Error('it has no volume.json')
  const record = JSON.parse(text) as VolumeRecord
  if (record.version !== 1) throw new Error(`its volume.json has version ${record.version}`)
  return record
}
