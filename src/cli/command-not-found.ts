/**
 * What to say of words that name no command. With spaces between topic and command, oclif takes every word up
 * to the first flag for part of the name: `tsmachine ls web` arrives here as "ls:web".
 */
import { CLIError } from '@oclif/core/errors'
import type { Hook } from '@oclif/core/hooks'
import type { Config } from '@oclif/core/interfaces'
import { editDistance } from '../shared/edit-distance.ts'

const hook: Hook.CommandNotFound = async ({ id, config }) => {
  throw new CLIError(explainUnknown(id, config), { exit: 2 })
}
export default hook

/** One sentence: an argument too many of a known command, or an unknown command with the likely one. */
export function explainUnknown(id: string, config: Config): string {
  const words = id.split(':')
  for (let length = words.length - 1; length > 0; length--) {
    if (config.findCommand(words.slice(0, length).join(':'))) {
      return `${words.slice(0, length).join(' ')} takes no argument "${words.slice(length).join(' ')}"`
    }
  }
  const likely = config.commandIDs
    .map((known) => ({ known, distance: editDistance(id, known) }))
    .sort((a, b) => a.distance - b.distance)[0]
  const hint = likely && likely.distance <= Math.max(2, id.length / 3)
  return `no command "${words.join(' ')}"${hint ? `; did you mean "${likely.known.replaceAll(':', ' ')}"?` : ''}`
}
