/**
 * Files of KEY=VALUE lines: .env beside a Compose file, and its env_file entries.
 */
import { interpolate, type Variables } from './interpolate.ts'

/**
 * @param outside values for variables in values: single quotes keep them from being read
 * @returns keys in the order of the file; a key without "=" has no value of its own
 * @throws Error that names the line
 */
export function parseEnvFile(text: string, outside: Variables): Map<string, string | undefined> {
  const values = new Map<string, string | undefined>()
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  for (const [i, raw] of lines.entries()) {
    const line = raw.trim().replace(/^export\s+/, '')
    if (line === '' || line.startsWith('#')) continue
    const match = /^([A-Za-z_][A-Za-z0-9_.-]*)\s*(?:=\s*(.*))?$/.exec(line)
    if (!match) throw new Error(`line ${i + 1}: '${line}' is not KEY=VALUE`)
    const [, key, value] = match as unknown as [string, string, string | undefined]
    const known = { ...outside, ...Object.fromEntries(values) }
    values.set(key, value === undefined ? undefined : unquote(value, known))
  }
  return values
}

function unquote(value: string, variables: Variables): string {
  const single = /^'([^']*)'\s*(?:#.*)?$/.exec(value)
  if (single) return single[1]!
  const double = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(value)
  if (!double) return interpolate(value.replace(/\s+#.*$/, ''), variables).text
  const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r' }
  const text = double[1]!.replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter)
  return interpolate(text, variables).text
}
