/**
 * Which templates nobody uses any more.
 */
import type { ObjectChange, View } from '../store/replica.ts'

export class TemplateUses {
  readonly #counts = new Map<string, number>()
  readonly #suspects = new Set<string>()

  constructor(view: View) {
    for (const service of view.all('service')) this.#count(service.TemplateID, 1)
    for (const task of view.all('task')) this.#count(task.TemplateID, 1)
    for (const template of view.all('template')) this.#suspects.add(template.ID)
  }

  apply(change: ObjectChange): void {
    if (change.kind === 'template' && change.after) this.#suspects.add(change.id)
    if (change.kind !== 'service' && change.kind !== 'task') return
    if (change.before) this.#count(change.before.TemplateID, -1)
    if (change.after) this.#count(change.after.TemplateID, 1)
  }

  isUsed(id: string): boolean {
    return this.#counts.has(id)
  }

  /** Those that came out of use since the last call. */
  takeUnused(): string[] {
    const unused = [...this.#suspects].filter((id) => !this.isUsed(id))
    this.#suspects.clear()
    return unused
  }

  #count(id: string, by: number): void {
    const count = (this.#counts.get(id) ?? 0) + by
    if (count > 0) this.#counts.set(id, count)
    else {
      this.#counts.delete(id)
      this.#suspects.add(id)
    }
  }
}
