/**
 * How a command that failed says so: one line on stderr, the next step below it, and an exit code.
 */
import { causeChain, Failure, messageOf } from '../shared/errors.ts'

/** Exit code of a command line that can't be understood. */
const usageExit = 2

/**
 * Prints the error and returns the exit code. `--debug` or TSMACHINE_DEBUG (of each command its own name) adds
 * the chain of causes and the stack.
 */
export function reportError(error: unknown, bin: string, args: string[]): number {
  const { line, next, exit } = describeError(error, bin)
  console.error(`${bin}: ${line}`)
  if (next) console.error(`  ${next}`)
  if (wantsDebug(bin, args)) {
    for (const cause of causeChain(error).slice(1)) console.error(`  caused by: ${cause}`)
    if (error instanceof Error && error.stack) console.error(error.stack)
  } else if (!isExpected(error)) {
    console.error(`  This is a fault of ${bin} itself; --debug shows where.`)
  }
  return exit
}

/** The line for people, what to do next, and the exit code. */
export function describeError(error: unknown, bin: string): { line: string; next?: string; exit: number } {
  if (error instanceof Failure) {
    return { line: ownWords(error.message), next: error.suggestions[0], exit: error.exit }
  }
  const exit = (error as { oclif?: { exit?: number } } | null)?.oclif?.exit
  // oclif's own refusals: a sentence, then a list or a hint in lines of their own.
  const lines = messageOf(error)
    .split('\n')
    .map((text) => text.trim())
    .filter((text) => text && text !== 'See more help with --help')
  if (exit !== undefined) {
    return { line: lines.join(' '), next: `See ${bin} --help, or --help after the command.`, exit: usageExit }
  }
  return { line: lines.join(' '), exit: 1 }
}

/** oclif puts lines of its own around what a flag's parser throws. */
function ownWords(message: string): string {
  return /^Parsing --\S+\s*\n\t(.*)\nSee more help/s.exec(message)?.[1] ?? message
}

/** Whether the user asked for stacks. */
export function wantsDebug(bin: string, args: string[]): boolean {
  const end = args.indexOf('--')
  const own = end === -1 ? args : args.slice(0, end)
  const variable = process.env[`${bin.toUpperCase()}_DEBUG`]
  return own.includes('--debug') || variable === '1' || variable === 'true'
}

function isExpected(error: unknown): boolean {
  if (error instanceof Failure) return error.kind !== 'bug'
  return (error as { oclif?: object } | null)?.oclif !== undefined
}
