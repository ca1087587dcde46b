/** All containers of the engine: by id, by name, by the beginning of an id. */
import type { Logger } from 'pino'
import { messageOf } from '../../shared/errors.ts'
import { Container } from './container.ts'
import { fail } from './errors.ts'
import type { ContainerRecord, RecordFiles } from './record.ts'

/** How often a record that could not be saved is tried again. */
const retrySaveMs = 2000

export class ContainerTable {
  readonly files: RecordFiles
  private readonly byId = new Map<string, Container>()
  private readonly byName = new Map<string, Container>()
  /** Names that a create under way has taken. */
  private readonly claimed = new Set<string>()

  /** Their records on disk are older than those here. */
  private readonly unsaved = new Set<Container>()
  private readonly log: Pick<Logger, 'error'>

  constructor(files: RecordFiles, log: Pick<Logger, 'error'>) {
    this.files = files
    this.log = log
  }

  add(record: ContainerRecord): Container {
    const container = new Container(record, this.files.folderOf(record.id))
    this.byId.set(record.id, container)
    this.byName.set(record.name, container)
    return container
  }

  delete(container: Container): void {
    this.byId.delete(container.id)
    this.unsaved.delete(container)
    if (this.byName.get(container.record.name) === container) this.byName.delete(container.record.name)
  }

  all(): Container[] {
    return [...this.byId.values()]
  }

  /**
   * By whole id, then by name, then by the beginning of an id: Docker's order.
   * @throws E_NO_SUCH_CONTAINER, E_AMBIGUOUS_CONTAINER
   */
  get(ref: string): Container {
    const found = this.find(ref)
    if (!found) throw fail('E_NO_SUCH_CONTAINER', { ref })
    return found
  }

  find(ref: string): Container | undefined {
    const exact = this.byId.get(ref) ?? this.byName.get(ref.replace(/^\//, ''))
    if (exact || !/^[0-9a-f]+$/.test(ref)) return exact
    const matches = this.all().filter((c) => c.id.startsWith(ref))
    if (matches.length > 1) throw fail('E_AMBIGUOUS_CONTAINER', { ref })
    return matches[0]
  }

  /**
   * Takes a name until `release`, against a second create of the same name.
   * @throws E_CONTAINER_NAME, E_NAME_TAKEN
   */
  claim(name: string): { release: () => void } {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) throw fail('E_CONTAINER_NAME', { name })
    const owner = this.byName.get(name)
    if (owner || this.claimed.has(name))
      throw fail('E_NAME_TAKEN', { name, id: owner?.id ?? 'being created' })
    this.claimed.add(name)
    return { release: () => this.claimed.delete(name) }
  }

  rename(container: Container, name: string): void {
    const claim = this.claim(name)
    try {
      this.byName.delete(container.record.name)
      container.record.name = name
      this.byName.set(name, container)
      this.files.save(container.record)
    } finally {
      claim.release()
    }
  }

  /** @throws what the file system does, such as ENOSPC */
  save(container: Container): void {
    this.files.save(container.record)
    this.unsaved.delete(container)
  }

  /**
   * Saves what has happened, or is about to whether or not it is noted: a disk that the container itself has
   * filled must not keep it from being stopped and removed. A record that can't be saved is tried again.
   */
  note(container: Container): void {
    try {
      this.save(container)
    } catch (error) {
      this.log.error(
        { container: container.id },
        `its record can't be saved and is tried again: ${messageOf(error)}`,
      )
      if (this.unsaved.size === 0) this.retryLater()
      this.unsaved.add(container)
    }
  }

  private retryLater(): void {
    setTimeout(() => {
      for (const container of this.unsaved) {
        try {
          this.save(container)
        } catch {
          // Said already, and tried again below.
        }
      }
      if (this.unsaved.size > 0) this.retryLater()
    }, retrySaveMs).unref()
  }
}
