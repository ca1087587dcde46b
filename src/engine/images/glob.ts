/** Go's path.Match: `*` and `?` stop at a slash, `[a-z]` and `[^a-z]` are classes, `\` quotes. */

type Token = { kind: 'star' } | { kind: 'one'; fits: (char: string) => boolean }

/** A pattern that is none matches nothing. Takes time in proportion to both lengths, whatever the pattern. */
export function matchGlob(pattern: string, text: string): boolean {
  const patterns = pattern.split('/')
  const parts = text.split('/')
  return patterns.length === parts.length && patterns.every((p, i) => matchPart(p, parts[i]!))
}

function matchPart(pattern: string, text: string): boolean {
  const tokens = tokenize(pattern)
  if (!tokens) return false
  let at = 0
  let token = 0
  /** Where to go on when it does not fit: the last star takes one more character. */
  let retry: { at: number; token: number } | undefined
  while (at < text.length) {
    const current = tokens[token]
    if (current?.kind === 'star') {
      retry = { at, token }
      token++
    } else if (current?.fits(text[at]!)) {
      at++
      token++
    } else if (retry) {
      retry.at++
      at = retry.at
      token = retry.token + 1
    } else return false
  }
  return tokens.slice(token).every((rest) => rest.kind === 'star')
}

function tokenize(pattern: string): Token[] | undefined {
  const tokens: Token[] = []
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!
    if (char === '*') tokens.push({ kind: 'star' })
    else if (char === '?') tokens.push({ kind: 'one', fits: () => true })
    else if (char === '[') {
      const end = pattern.indexOf(']', i + 2)
      if (end < 0) return undefined
      tokens.push({ kind: 'one', fits: toClass(pattern.slice(i + 1, end)) })
      i = end
    } else {
      if (char === '\\') i++
      const wanted = pattern[i]
      if (wanted === undefined) return undefined
      tokens.push({ kind: 'one', fits: (c) => c === wanted })
    }
  }
  return tokens
}

function toClass(text: string): (char: string) => boolean {
  const negated = text.startsWith('^')
  const ranges = [...(negated ? text.slice(1) : text).matchAll(/(.)(?:-(.))?/gs)]
  return (char) => ranges.some(([, from, to = from]) => char >= from! && char <= to!) !== negated
}
