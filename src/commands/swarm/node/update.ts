import { string as stringArg } from '@oclif/core/args'
import { string } from '@oclif/core/flags'
import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class NodeUpdate extends SwarmCommand {
  static override summary = "Change a node's availability, role or labels."
  static override examples = [
    '<%= config.bin %> node update --availability drain w1',
    '<%= config.bin %> node update --label-add zone=north w1',
  ]
  static override args = {
    node: stringArg({ description: 'Name or id of the node.', required: true, ignoreStdin: true }),
  }
  static override flags = {
    availability: string({
      summary: 'active takes tasks; pause keeps its own; drain gives them away.',
      options: ['active', 'pause', 'drain'],
    }),
    'label-add': string({
      summary: 'Label to add or change, NAME=VALUE.',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'label-rm': string({ summary: 'Label to take away.', multiple: true, multipleNonGreedy: true }),
    role: string({ summary: 'What it is in the swarm.', options: ['worker', 'manager'] }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodeUpdate)
    const { changeNode } = await import('../../../swarm/client/node-view.ts')
    await changeNode(await this.openApi(flags), args.node, flags)
    this.log(args.node)
  }
}
