import { boolean, string } from '@oclif/core/flags'
import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class NodeLs extends SwarmCommand {
  static override summary = 'List the nodes of the swarm.'
  static override examples = [
    '<%= config.bin %> node ls',
    '<%= config.bin %> node ls -q --filter role=worker',
  ]
  static override enableJsonFlag = true
  static override flags = {
    filter: string({
      summary: 'Only nodes with KEY=VALUE: id, name, role, membership, node.label.',
      multiple: true,
      multipleNonGreedy: true,
    }),
    quiet: boolean({ char: 'q', summary: 'Print ids only.' }),
  }

  async run(): Promise<object[]> {
    const { flags } = await this.parse(NodeLs)
    const api = await this.openApi(flags)
    const { listNodes } = await import('../../../swarm/client/node-view.ts')
    const { nodes, rows, head } = await listNodes(api, flags.filter ?? [])
    if (flags.quiet) for (const { ID } of nodes) this.log(ID)
    else this.printTable(head, rows)
    return nodes
  }
}
