import { string as stringArg } from '@oclif/core/args'
import { boolean } from '@oclif/core/flags'
import { SwarmCommand } from '../../cli/swarm-command.ts'

export default class JoinToken extends SwarmCommand {
  static override summary = 'Print the token that lets nodes join, or make a new one.'
  static override examples = [
    '<%= config.bin %> join-token worker',
    '<%= config.bin %> join-token -q worker',
    '<%= config.bin %> join-token --rotate worker',
  ]
  static override args = {
    role: stringArg({
      description: 'What they join as.',
      options: ['worker', 'manager'],
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    quiet: boolean({ char: 'q', summary: 'Print the token only.' }),
    rotate: boolean({ summary: 'Make a new one first; the old one lets nobody in any more.' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(JoinToken)
    const api = await this.openApi(flags)
    const { joinCommand, readToken, rotateToken } = await import('../../swarm/client/membership.ts')
    const role = args.role as 'worker' | 'manager'
    if (flags.rotate) await rotateToken(api, role)
    if (flags.quiet) {
      this.log(await readToken(api, role))
      return
    }
    if (flags.rotate) this.log(`Successfully rotated ${role} join token.\n`)
    this.log(`To add a ${role} to this swarm, run the following command:\n`)
    this.log(`    ${await joinCommand(api, this.config.bin, role)}\n`)
  }
}
