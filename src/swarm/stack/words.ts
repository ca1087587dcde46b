/**
 * Splits a command line into words as a shell does: blanks part, quotes and backslashes keep together.
 * Undefined where a quote is not closed.
 */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  for (let i = 0; i < line.length; i++) {
    const letter = line[i]!
    if (quote === undefined && /\s/.test(letter)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (letter === quote) quote = undefined
    else if (quote === undefined && (letter === "'" || letter === '"')) {
      quote = letter
      word ??= ''
    } else if (letter === '\\' && quote !== "'" && isEscapable(line[i + 1], quote))
      word = (word ?? '') + line[++i]
    else word = (word ?? '') + letter
  }
  if (quote !== undefined) return undefined
  return word === undefined ? words : [...words, word]
}

function isEscapable(letter: string | undefined, quote: string | undefined): boolean {
  if (letter === undefined) return false
  return quote === undefined || '"\\$`'.includes(letter)
}
