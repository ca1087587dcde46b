/**
 * Commands that start a program (`tsmachine ssh m1 ls --help`, `tshost exec c1 df -h`) must not read the
 * program's flags as their own. Such a command says `static passThrough = true`; everything after its first
 * positional argument is then the program's.
 */
import type { Command } from '@oclif/core/command'
import type { Config } from '@oclif/core/config'

/** The same words, with `--` put in after the first positional of a command that passes the rest through. */
export function protectProgramArgs(args: string[], config: Config): string[] {
  const command = findPassThrough(args, config)
  if (!command) return args
  const idLength = command.id.split(':').length
  for (let i = idLength; i < args.length; i++) {
    const word = args[i]!
    if (word === '--') return args
    if (!word.startsWith('-') || word === '-') return [...args.slice(0, i + 1), '--', ...args.slice(i + 1)]
    if (takesNextWord(word, command)) i++
  }
  return args
}

function findPassThrough(args: string[], config: Config): Command.Loadable | undefined {
  for (let length = args.length; length > 0; length--) {
    const command = config.findCommand(args.slice(0, length).join(':'))
    if (command) return (command as { passThrough?: boolean }).passThrough ? command : undefined
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
