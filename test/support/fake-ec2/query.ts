/** EC2's query protocol: `Filter.1.Value.2=x` in, XML out. */

export type Params = { [key: string]: Params | string | undefined }

/** The call's parameters as a tree; lists are objects with the keys "1", "2", ... */
export function parseQuery(body: string): Params {
  const tree: Params = {}
  for (const [path, value] of new URLSearchParams(body)) {
    const keys = path.split('.')
    let node = tree
    for (const key of keys.slice(0, -1)) {
      node[key] ??= {}
      node = node[key] as Params
    }
    node[keys.at(-1)!] = value
  }
  return tree
}

/** The members of a list in their order; nothing there is an empty list. */
export function listOf<T extends Params | string = Params>(node: Params | string | undefined): T[] {
  if (node === undefined || typeof node === 'string') return []
  return Object.entries(node)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, value]) => value as T)
}

export function text(node: Params | string | undefined): string | undefined {
  return typeof node === 'string' ? node : undefined
}

export interface Filter {
  name: string
  values: string[]
}

export function filtersOf(params: Params): Filter[] {
  return listOf(params.Filter).map((one) => ({
    name: text(one.Name) ?? '',
    values: listOf<string>(one.Value),
  }))
}

/** The tags that a TagSpecification of this call has for a kind of resource. */
export function tagsFor(params: Params, kind: string): Record<string, string> {
  const specs = listOf(params.TagSpecification).filter((spec) => spec.ResourceType === kind)
  return Object.fromEntries(
    specs.flatMap((spec) => listOf(spec.Tag).map((tag) => [text(tag.Key) ?? '', text(tag.Value) ?? ''])),
  )
}

/** Whether a resource passes all filters: any value of each, with * and ? as wildcards. */
export function matches(
  fields: Record<string, string | string[] | undefined>,
  tags: Record<string, string>,
  filters: Filter[],
): boolean {
  return filters.every(({ name, values }) => {
    if (name === 'tag-key') return values.some((value) => Object.hasOwn(tags, value))
    const field = name.startsWith('tag:') ? tags[name.slice(4)] : fields[name]
    if (!name.startsWith('tag:') && !Object.hasOwn(fields, name))
      throw new Ec2Error('InvalidParameterValue', `The filter '${name}' is invalid`)
    const has = field === undefined ? [] : [field].flat()
    return values.some((value) => has.some((one) => globs(value).test(one)))
  })
}

function globs(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`)
}

/** An answer that refuses. */
export class Ec2Error extends Error {
  readonly code: string
  readonly status: number
  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}

export type XmlValue = string | number | boolean | undefined | XmlValue[] | { [key: string]: XmlValue }

/** Lists become <item>s, as EC2 has them; undefined is left out. */
export function xml(value: XmlValue): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.map((item) => `<item>${xml(item)}</item>`).join('')
  if (typeof value === 'object') {
    return Object.entries(value)
      .filter(([, child]) => child !== undefined)
      .map(([key, child]) => `<${key}>${xml(child)}</${key}>`)
      .join('')
  }
  return String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

export function tagSet(tags: Record<string, string>): XmlValue {
  return Object.entries(tags).map(([key, value]) => ({ key, value }))
}
