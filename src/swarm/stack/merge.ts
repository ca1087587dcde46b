/**
 * Several Compose files as one: later ones add to and change earlier ones.
 */

type Content = Record<string, unknown>

/** Lists that a later file replaces; others it makes longer. */
const replacedLists = ['command', 'entrypoint', 'test']

export function mergeContents(a: Content, b: Content): Content {
  return mergeMaps(a, b)
}

function mergeMaps(a: Content, b: Content): Content {
  const merged = { ...a }
  for (const [key, value] of Object.entries(b)) {
    merged[key] = key in a ? mergeValues(key, a[key], value) : value
  }
  return merged
}

function mergeValues(key: string, a: unknown, b: unknown): unknown {
  if (b === null || b === undefined) return a
  if (isPairs(key)) return { ...pairsOf(a), ...pairsOf(b) }
  if (Array.isArray(a) && Array.isArray(b)) return replacedLists.includes(key) ? b : uniqueItems([...a, ...b])
  if (isMap(a) && isMap(b)) return mergeMaps(a, b)
  return b
}

/** Keys whose value is a map or a list of KEY=VALUE: the two forms mix. */
function isPairs(key: string): boolean {
  return ['environment', 'labels', 'sysctls', 'annotations'].includes(key)
}

/** {"a": 1} or ["a=1", "b"] -> a map; a key without value has null. */
export function pairsOf(value: unknown): Record<string, unknown> {
  if (isMap(value)) return value
  if (!Array.isArray(value)) return {}
  return Object.fromEntries(
    value.map((item) => {
      const text = String(item)
      const at = text.indexOf('=')
      return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

function uniqueItems(items: unknown[]): unknown[] {
  const seen = new Set<string>()
  return items.filter((item) => {
    const text = JSON.stringify(item)
    return seen.has(text) ? false : seen.add(text)
  })
}

export function isMap(value: unknown): value is Content {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
