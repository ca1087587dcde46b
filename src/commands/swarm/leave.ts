import { boolean } from '@oclif/core/flags'
import { SwarmCommand } from '../../cli/swarm-command.ts'

export default class Leave extends SwarmCommand {
  static override summary = 'Take this engine out of its swarm, with its tasks.'
  static override examples = ['<%= config.bin %> leave', '<%= config.bin %> leave --force']
  static override flags = {
    force: boolean({
      char: 'f',
      summary: 'Leave as a manager too (the last one ends the swarm), or with a state that can not be read.',
    }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Leave)
    const api = await this.openApi(flags)
    await api.post('/swarm/leave', undefined, { force: flags.force })
    this.log('Node left the swarm.')
  }
}
