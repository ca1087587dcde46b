/**
 * A transaction in the making: reads see the replica and what was already drafted; every object that was read
 * or written becomes a condition, so that the commit holds only if nothing of it has changed meanwhile.
 */
import { type Kind, type Kinds, keyOf, type VersionedKind } from './objects/kinds.ts'
import type { View } from './replica.ts'
import type { Condition, Operation, Transaction } from './store.ts'

/** An object as it is handed to `put`: what the draft fills in may be left out. */
export type New<T> = Omit<T, 'Version' | 'CreatedAt' | 'UpdatedAt'> & { CreatedAt?: string }

export class Draft {
  readonly view: View
  /** RFC 3339, one moment for the whole draft. */
  readonly now: string
  readonly #conditions = new Map<string, number>()
  readonly #written = new Map<string, { kind: Kind; object?: unknown }>()

  constructor(view: View, nowMs: number) {
    this.view = view
    this.now = new Date(nowMs).toISOString()
  }

  /** The object as drafted or stored; the commit fails if it changes before. */
  get<K extends VersionedKind>(kind: K, id: string): Kinds[K] | undefined {
    const key = keyOf(kind, id)
    const written = this.#written.get(key)
    if (written) return written.object as Kinds[K] | undefined
    const object = this.view.get(kind, id)
    this.#conditions.set(key, object?.Version.Index ?? 0)
    return object
  }

  /** Makes the object or replaces it. UpdatedAt, and CreatedAt of a new one, are filled in. */
  put<K extends VersionedKind>(kind: K, object: New<Kinds[K]>): void {
    const old = this.get(kind, object.ID)
    const CreatedAt = object.CreatedAt ?? old?.CreatedAt ?? this.now
    const drafted = { ...object, Version: old?.Version ?? { Index: 0 }, CreatedAt, UpdatedAt: this.now }
    this.#written.set(keyOf(kind, object.ID), { kind, object: drafted })
  }

  delete(kind: VersionedKind, id: string): void {
    this.get(kind, id)
    this.#written.set(keyOf(kind, id), { kind })
  }

  /** Owner of a claim, as drafted or stored. */
  ownerOf(claim: string): string | undefined {
    const written = this.#written.get(keyOf('claim', claim))
    if (written) return (written.object as Kinds['claim'] | undefined)?.Owner
    return this.view.get('claim', claim)?.Owner
  }

  /** Takes what the claim names for `owner`. False when another one has it; nothing is drafted then. */
  claim(claim: string, owner: string): boolean {
    const present = this.ownerOf(claim)
    if (present !== undefined) return present === owner
    const key = keyOf('claim', claim)
    if (!this.#written.has(key)) this.#conditions.set(key, 0)
    this.#written.set(key, { kind: 'claim', object: { ID: claim, Owner: owner } })
    return true
  }

  /** Gives the claim up, if `owner` has it. */
  release(claim: string, owner: string): void {
    if (this.ownerOf(claim) === owner) this.#written.set(keyOf('claim', claim), { kind: 'claim' })
  }

  /** Operations drafted so far. */
  get size(): number {
    return this.#written.size
  }

  transaction(): Transaction {
    const when = [...this.#conditions].map(([key, modified]): Condition => ({ key, modified }))
    const write = [...this.#written].map(
      ([key, { object }]): Operation =>
        object === undefined ? { delete: key } : { put: key, value: encode(object) },
    )
    return { when, write }
  }
}

function encode(object: unknown): string {
  return JSON.stringify({ ...(object as object), Version: undefined })
}
