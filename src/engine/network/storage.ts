/**
 * The records on disk, one file each: `network/networks/ID.json` and `network/containers/ID.json` under the
 * engine's data root. Networks are flushed to the disk, since they must outlive a power cut. A container's
 * record need not: after a power cut there is no running container, and a killed daemon's writes are in the
 * kernel already; so it costs one small write at a start.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { makePrivateFolder, writeFileAtomic } from '../../shared/files.ts'
import type { Log } from './context.ts'
import type { SwarmState } from './overlay/state.ts'
import { type ContainerRecord, type NetworkRecord, recordVersion } from './records.ts'

const stateVersion = 1
/** Of a record that is damaged. */
const asideSuffix = '.damaged'

export class NetworkStorage {
  readonly #networks: string
  readonly #containers: string
  readonly #log: Log

  constructor(dataRoot: string, log: Log) {
    this.#networks = join(dataRoot, 'network', 'networks')
    this.#containers = join(dataRoot, 'network', 'containers')
    this.#log = log
  }

  async open(): Promise<void> {
    await makePrivateFolder(this.#networks)
    await makePrivateFolder(this.#containers)
  }

  /** Resolves when a power cut can't lose it any more. */
  async saveNetwork(record: NetworkRecord): Promise<void> {
    await writeFileAtomic(join(this.#networks, `${record.id}.json`), JSON.stringify(record))
  }

  deleteNetwork(id: string): void {
    rmSync(join(this.#networks, `${id}.json`), { force: true })
  }

  /** Replaces the record; a crash leaves the old one or the new one. */
  saveContainer(record: ContainerRecord): void {
    const path = join(this.#containers, `${record.id}.json`)
    const temporary = `${path}.new`
    writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 })
    renameSync(temporary, path)
  }

  deleteContainer(id: string): void {
    rmSync(join(this.#containers, `${id}.json`), { force: true })
  }

  /**
   * A damaged one is put aside, under a name that is passed over from then on; one of another version stays for
   * that version.
   */
  loadNetworks(): NetworkRecord[] {
    const isWhole = ({ id, name, driver, bridge, options, labels, ipam }: Partial<NetworkRecord>) =>
      [id, name, driver, bridge, ipam?.subnet, ipam?.gateway].every((one) => typeof one === 'string') &&
      [options, labels].every((one) => typeof one === 'object' && one !== null)
    return this.#load(this.#networks, isWhole) as NetworkRecord[]
  }

  loadContainers(): ContainerRecord[] {
    const isWhole = ({ id, name, endpoints, ports }: Partial<ContainerRecord>) =>
      [id, name].every((one) => typeof one === 'string') && [endpoints, ports].every(Array.isArray)
    return this.#load(this.#containers, isWhole) as ContainerRecord[]
  }

  /**
   * The node's last swarm state; undefined where there is none, or none that can be read: the agent tells it
   * again as soon as a manager answers.
   */
  loadState(): SwarmState | undefined {
    const path = join(this.#networks, '..', 'swarm.json')
    try {
      const { version, ...state } = JSON.parse(readFileSync(path, 'utf8')) as SwarmState & { version: number }
      if (version !== stateVersion) throw new Error(`it has version ${version}`)
      return state
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') this.#log.debug({ path }, 'there is no state of a swarm')
      else this.#log.warn({ path, reason: messageOf(error) }, "the swarm's last state cannot be read")
      return undefined
    }
  }

  /** Undefined takes it away. */
  saveState(state: SwarmState | undefined): void {
    const path = join(this.#networks, '..', 'swarm.json')
    if (state === undefined) {
      rmSync(path, { force: true })
      return
    }
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.new`, JSON.stringify({ version: stateVersion, ...state }), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }

  #load(folder: string, isWhole: (record: object) => boolean): unknown[] {
    const records: unknown[] = []
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name)
      if (name.endsWith(asideSuffix)) continue
      if (!name.endsWith('.json')) {
        // Left by a crash between a write and its rename.
        rmSync(path, { force: true })
        continue
      }
      try {
        const record = readRecord(readFileSync(path, 'utf8'))
        if (record && record.version !== recordVersion) {
          this.#log.error({ path, version: record.version }, 'a network record is of another version')
        } else if (record && isWhole(record)) {
          records.push(record)
        } else {
          renameSync(path, `${path}${asideSuffix}`)
          this.#log.error({ path: `${path}${asideSuffix}` }, 'a network record is damaged and was put aside')
        }
      } catch (error) {
        this.#log.error({ path, reason: messageOf(error) }, 'a network record cannot be read')
      }
    }
    return records
  }
}

/** Undefined where it is no JSON of a record's form; a power cut may leave a file of zeros. */
function readRecord(text: string): { version?: unknown } | undefined {
  try {
    const record: unknown = JSON.parse(text)
    return typeof record === 'object' && record !== null ? record : undefined
  } catch {
    return undefined
  }
}
