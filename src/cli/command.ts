import { Command } from '@oclif/core/command'
import { boolean } from '@oclif/core/flags'
import { globalGroup } from './leading-flags.ts'

/** What every command of the three binaries has. Its `run` parses, calls one function, prints. */
export abstract class BaseCommand extends Command {
  static override baseFlags = {
    debug: boolean({ summary: 'Show causes and stacks of errors.', helpGroup: globalGroup }),
  }
}
