/**
 * A table of nftables as data: what never changes is text, what does are the elements of its sets and maps and
 * the rules of its own chains. Changes are data too and become one text, which nft applies as one transaction
 * (nft(8)). Pure.
 */

export interface Ruleset {
  /** Name of the table, of family ip. */
  table: string
  /** Sets, maps and chains with hooks, without elements: the body of `table ip NAME { }`. */
  base: string
  /** Set or map -> element -> its value; empty for a set's. */
  sets: Map<string, Map<string, string>>
  /** Chains without hooks that come and go -> their rules. */
  chains: Map<string, string[]>
}

export type RuleChange =
  | { kind: 'add'; set: string; element: string; value: string }
  | { kind: 'remove'; set: string; element: string }
  | { kind: 'chain'; chain: string; rules: string[] }
  | { kind: 'removeChain'; chain: string }

export function emptyRuleset(table: string, base: string): Ruleset {
  return { table, base, sets: new Map(), chains: new Map() }
}

/** The whole table, in the place of the one that is there: traffic sees the old one or the new one. */
export function renderTable({ table, base, sets, chains }: Ruleset): string {
  const lines = [`add table ip ${table}`, `delete table ip ${table}`, `table ip ${table} {`]
  for (const [chain, rules] of chains) {
    lines.push(`chain ${chain} {`, ...rules, '}')
  }
  lines.push(base, '}')
  for (const [set, elements] of sets) {
    if (elements.size > 0)
      lines.push(`add element ip ${table} ${set} { ${[...elements].map(elementText).join(', ')} }`)
  }
  return `${lines.join('\n')}\n`
}

/** Takes the table away, whether it is there or not. */
export function renderRemoval(table: string): string {
  return `add table ip ${table}\ndelete table ip ${table}\n`
}

/** What turns `previous` into `wanted`: nothing where they are equal. Of both only sets and chains are looked at. */
export function changesBetween(
  previous: Pick<Ruleset, 'sets' | 'chains'>,
  wanted: Pick<Ruleset, 'sets' | 'chains'>,
): RuleChange[] {
  const changes: RuleChange[] = []
  for (const [chain, rules] of wanted.chains) {
    if (previous.chains.get(chain)?.join('\n') !== rules.join('\n'))
      changes.push({ kind: 'chain', chain, rules })
  }
  for (const [set, elements] of previous.sets) {
    const kept = wanted.sets.get(set)
    for (const [element, value] of elements) {
      if (kept?.get(element) !== value) changes.push({ kind: 'remove', set, element })
    }
  }
  for (const [set, elements] of wanted.sets) {
    const had = previous.sets.get(set)
    for (const [element, value] of elements) {
      if (had?.get(element) !== value) changes.push({ kind: 'add', set, element, value })
    }
  }
  for (const chain of previous.chains.keys()) {
    if (!wanted.chains.has(chain)) changes.push({ kind: 'removeChain', chain })
  }
  return changes
}

/**
 * The commands that make the changes. Chains come before the elements that lead to them and go after those
 * that did; an element that gets another value is removed first.
 */
export function renderChanges(table: string, changes: readonly RuleChange[]): string {
  const lines: string[] = []
  for (const change of changes) {
    if (change.kind !== 'chain') continue
    lines.push(`add chain ip ${table} ${change.chain}`, `flush chain ip ${table} ${change.chain}`)
    lines.push(...change.rules.map((rule) => `add rule ip ${table} ${change.chain} ${rule}`))
  }
  for (const [set, elements] of grouped(changes, 'remove')) {
    lines.push(`delete element ip ${table} ${set} { ${elements.join(', ')} }`)
  }
  for (const [set, elements] of grouped(changes, 'add')) {
    lines.push(`add element ip ${table} ${set} { ${elements.join(', ')} }`)
  }
  for (const change of changes) {
    if (change.kind !== 'removeChain') continue
    lines.push(`flush chain ip ${table} ${change.chain}`, `delete chain ip ${table} ${change.chain}`)
  }
  return lines.length > 0 ? `${lines.join('\n')}\n` : ''
}

/** Makes the changes in the data, as nft has made them in the kernel. */
export function applyChanges({ sets, chains }: Ruleset, changes: readonly RuleChange[]): void {
  for (const change of changes) {
    if (change.kind === 'chain') chains.set(change.chain, change.rules)
    else if (change.kind === 'removeChain') chains.delete(change.chain)
    else if (change.kind === 'remove') sets.get(change.set)?.delete(change.element)
  }
  // Additions last, as in the text: an element may be removed and added with another value.
  for (const change of changes) {
    if (change.kind !== 'add') continue
    const elements = sets.get(change.set) ?? new Map<string, string>()
    sets.set(change.set, elements.set(change.element, change.value))
  }
}

/** The changes the other way round, given the ruleset before them. */
export function undoOf(
  before: Pick<Ruleset, 'sets' | 'chains'>,
  changes: readonly RuleChange[],
): RuleChange[] {
  const undo: RuleChange[] = []
  for (const change of changes) {
    if (change.kind === 'chain' || change.kind === 'removeChain') {
      const rules = before.chains.get(change.chain)
      undo.push(
        rules ? { kind: 'chain', chain: change.chain, rules } : { kind: 'removeChain', chain: change.chain },
      )
      continue
    }
    const value = before.sets.get(change.set)?.get(change.element)
    if (change.kind === 'add') undo.push({ kind: 'remove', set: change.set, element: change.element })
    if (value !== undefined) undo.push({ kind: 'add', set: change.set, element: change.element, value })
  }
  return undo
}

function grouped(changes: readonly RuleChange[], kind: 'add' | 'remove'): Map<string, string[]> {
  const sets = new Map<string, string[]>()
  for (const change of changes) {
    if (change.kind !== kind) continue
    const text = change.kind === 'add' ? elementText([change.element, change.value]) : change.element
    const known = sets.get(change.set)
    if (known) known.push(text)
    else sets.set(change.set, [text])
  }
  return sets
}

function elementText([element, value]: [string, string]): string {
  return value === '' ? element : `${element} : ${value}`
}
