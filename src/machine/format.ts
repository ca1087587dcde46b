/**
 * The part of Go's templates that people use with `inspect -f`: text, fields by dotted paths, json and
 * prettyjson of them.
 */
import { fail } from './errors.ts'

type Writer = (value: unknown) => string

const functions: Record<string, Writer> = {
  json: (value) => JSON.stringify(value),
  prettyjson: (value) => JSON.stringify(value, undefined, 4),
}

/**
 * @param format such as "{{.Driver.IPAddress}}:{{.Name}}", or "{{json .Driver}}"
 * @throws E_FORMAT for anything else between the braces, or a field that is not there
 */
export function formatTemplate(format: string, data: unknown): string {
  return format.replace(/\{\{(.*?)\}\}/gs, (_, action: string) => evaluate(action.trim(), data, format))
}

function evaluate(action: string, data: unknown, format: string): string {
  const match = /^(?:(\w+)\s+)?(\.[\w.-]*)$/.exec(action)
  if (!match) throw fail('E_FORMAT', { format, why: `"{{${action}}}" is no field like {{.Name}}` })
  const [, name, path] = match
  const write = name === undefined ? plain : functions[name]
  if (!write)
    throw fail('E_FORMAT', { format, why: `there is no function "${name}", only json and prettyjson` })
  return write(fieldOf(data, path!, format))
}

function fieldOf(data: unknown, path: string, format: string): unknown {
  let value = data
  for (const key of path.split('.').filter(Boolean)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) {
      throw fail('E_FORMAT', { format, why: `there is no field ${path}` })
    }
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/** As Go prints a value: text as it is, nothing as <no value>, lists in brackets. */
function plain(value: unknown): string {
  if (value === undefined || value === null) return '<no value>'
  if (Array.isArray(value)) return `[${value.map(plain).join(' ')}]`
  if (typeof value === 'object') {
    const fields = Object.entries(value).map(([key, field]) => `${key}:${plain(field)}`)
    return `map[${fields.join(' ')}]`
  }
  return String(value)
}
