/**
 * Global flags may stand before the command, as with docker and docker-machine: `tsswarm -H tcp://m1:2376 node ls`.
 */
import type { Command } from '@oclif/core/command'
import type { Config } from '@oclif/core/config'

/** The help group of the flags that all commands of a binary share. */
export const globalGroup = 'GLOBAL'

/** The same words, with the global flags at their beginning put behind the command's id. */
export function moveLeadingFlags(args: string[], config: Config): string[] {
  const flags = new Map(
    config.commands.flatMap((command) => globalFlags(command).map((flag) => [flag.name, flag])),
  )
  let end = 0
  while (args[end]?.startsWith('-')) {
    const flag = flagOf(args[end]!, [...flags.values()])
    if (!flag) return args
    end += flag.takesNextWord ? 2 : 1
  }
  const rest = args.slice(end)
  for (let length = rest.length; end > 0 && length > 0; length--) {
    const id = rest.slice(0, length)
    if (config.findCommand(id.join(':'))) return [...id, ...args.slice(0, end), ...rest.slice(length)]
  }
  return args
}

interface Flag {
  name: string
  char?: string
  type: string
  helpGroup?: string
}

function globalFlags({ flags }: Command.Loadable): Flag[] {
  return (Object.values(flags) as Flag[]).filter(({ helpGroup }) => helpGroup === globalGroup)
}

/** Undefined for a word that is no global flag, such as --help. */
function flagOf(word: string, flags: Flag[]): { takesNextWord: boolean } | undefined {
  const [name, value] = word.split('=', 2)
  const flag = flags.find((one) => name === `--${one.name}` || (one.char && word.startsWith(`-${one.char}`)))
  if (!flag) return undefined
  const hasValue = value !== undefined || (!word.startsWith('--') && word.length > 2)
  return { takesNextWord: flag.type === 'option' && !hasValue }
}
