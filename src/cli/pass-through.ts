/**
 * Commands that start a program (`tsmachine ssh m1 ls --help`, `tshost exec c1 df -h`) must not read the
 * program's flags as their own. Such a command says `static passThrough = true`; everything after its first
 * positional argument is then the program's. A flag whose value is such words in one text (`--args '-c 3 host'`)
 * stands in `static textFlags`.
 */
import type { Command } from '@oclif/core/command'
import type { Config } from '@oclif/core/config'

interface Declared {
  passThrough?: boolean
  textFlags?: string[]
}

/** The same words, in a form in which oclif leaves the program's alone. */
export function protectProgramArgs(args: string[], config: Config): string[] {
  const command = findCommand(args, config)
  if (!command) return args
  const { passThrough, textFlags = [] } = command as Declared
  const words = textFlags.length > 0 ? args.map((_, i) => protectText(args, i, textFlags)) : args
  return passThrough ? separateProgram(words, command) : words
}

/**
 * The arguments of a command line in their order. Oclif's own `argv` sorts them by where their text first stands
 * among all words: in `--replicas 3 alpine ping -c 3` the image would be "3".
 */
export function positionals(raw: readonly { type: string; input: string }[]): string[] {
  return raw.flatMap((token) => (token.type === 'arg' ? [token.input] : []))
}

/** Oclif takes a value for a flag that begins as one of the command's own does; behind a blank it doesn't. */
function protectText(args: string[], i: number, textFlags: string[]): string {
  const word = args[i]!
  const flags = textFlags.map((flag) => `--${flag}`)
  if (flags.includes(args[i - 1] ?? '') && word.startsWith('-')) return ` ${word}`
  const flag = flags.find((name) => word.startsWith(`${name}=-`))
  return flag ? `${flag}= ${word.slice(flag.length + 1)}` : word
}

/** The same words, with `--` put in after the first positional of a command that passes the rest through. */
function separateProgram(args: string[], command: Command.Loadable): string[] {
  const idLength = command.id.split(':').length
  for (let i = idLength; i < args.length; i++) {
    const word = args[i]!
    if (word === '--') return args
    if (!word.startsWith('-') || word === '-') return [...args.slice(0, i + 1), '--', ...args.slice(i + 1)]
    if (takesNextWord(word, command)) i++
  }
  return args
}

function findCommand(args: string[], config: Config): Command.Loadable | undefined {
  for (let length = args.length; length > 0; length--) {
    const command = config.findCommand(args.slice(0, length).join(':'))
    if (command) return command
  }
  return undefined
}

/** Whether this flag's value is the next word: `--env A=1` and `-e A=1`, but not `--env=A=1` nor `-it`. */
function takesNextWord(word: string, command: Command.Loadable): boolean {
  const flags = Object.values(command.flags)
  if (word.startsWith('--')) {
    return !word.includes('=') && flags.some((flag) => flag.name === word.slice(2) && flag.type === 'option')
  }
  for (let i = 1; i < word.length; i++) {
    const flag = flags.find(({ char }) => char === word[i])
    if (flag?.type === 'option') return i === word.length - 1
  }
  return false
}
