import { string as stringArg } from '@oclif/core/args'
import { boolean } from '@oclif/core/flags'
import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class NodeRm extends SwarmCommand {
  static override summary = 'Remove nodes from the swarm.'
  static override examples = ['<%= config.bin %> node rm w1', '<%= config.bin %> node rm --force w1']
  static override strict = false
  static override args = {
    node: stringArg({ description: 'Names or ids of nodes.', required: true, ignoreStdin: true }),
  }
  static override flags = { force: boolean({ char: 'f', summary: 'Also one that is not down.' }) }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(NodeRm)
    const api = await this.openApi(flags)
    await this.forEachRef(argv as string[], async (ref) => {
      await api.delete(`/nodes/${encodeURIComponent(ref)}`, { force: flags.force })
      this.log(ref)
    })
  }
}
