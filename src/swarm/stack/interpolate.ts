/**
 * Variables in a Compose file's values: $V ${V} ${V:-d} ${V-d} ${V:?e} ${V?e} ${V:+r} ${V+r}, and $$ for a
 * dollar. Defaults may contain variables themselves.
 */

export type Variables = Record<string, string | undefined>

/** Why a text can't be interpolated, in words that follow the place. */
export class InterpolationError extends Error {
  override readonly name = 'InterpolationError'
}

export interface Interpolated {
  text: string
  /** Variables without value or default: empty text stands in for them. */
  unset: string[]
}

/** @throws InterpolationError for malformed references and for ${V:?why} without value */
export function interpolate(text: string, variables: Variables): Interpolated {
  const unset: string[] = []
  let result = ''
  for (let at = 0; at < text.length; ) {
    const dollar = text.indexOf('$', at)
    if (dollar < 0) {
      result += text.slice(at)
      break
    }
    result += text.slice(at, dollar)
    const { value, end } = readReference(text, dollar, variables, unset)
    result += value
    at = end
  }
  return { text: result, unset }
}

function readReference(
  text: string,
  dollar: number,
  variables: Variables,
  unset: string[],
): { value: string; end: number } {
  const next = text[dollar + 1]
  if (next === '$') return { value: '$', end: dollar + 2 }
  if (next === '{') {
    const close = closingBrace(text, dollar + 2)
    if (close < 0) throw new InterpolationError(`'${text.slice(dollar)}' has no closing brace`)
    return { value: evaluate(text.slice(dollar + 2, close), variables, unset), end: close + 1 }
  }
  const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(dollar + 1))?.[0]
  if (!name) {
    throw new InterpolationError(`'${text.slice(dollar, dollar + 10)}' is no variable; write $$ for a dollar`)
  }
  return { value: plain(name, variables, unset), end: dollar + 1 + name.length }
}

/** The brace that ends the one whose inside begins at `from`; references nest. */
function closingBrace(text: string, from: number): number {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++
    else if (text[at] === '}' && --depth === 0) return at
  }
  return -1
}

function evaluate(inside: string, variables: Variables, unset: string[]): string {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([\s\S]*))?$/.exec(inside)
  if (!match) throw new InterpolationError(`'\${${inside}}' is no variable; write $$ for a dollar`)
  const [, name, operator, word = ''] = match as unknown as [
    string,
    string,
    string | undefined,
    string | undefined,
  ]
  if (operator === undefined) return plain(name, variables, unset)
  const value = variables[name]
  const isSet = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined
  const nested = () => {
    const { text, unset: more } = interpolate(word, variables)
    unset.push(...more)
    return text
  }
  switch (operator.at(-1)) {
    case '-':
      return isSet ? value! : nested()
    case '+':
      return isSet ? nested() : ''
    default:
      if (isSet) return value!
      throw new InterpolationError(`required variable ${name} is missing a value${word && `: ${nested()}`}`)
  }
}

function plain(name: string, variables: Variables, unset: string[]): string {
  const value = variables[name]
  if (value === undefined) unset.push(name)
  return value ?? ''
}
