import { string as stringArg } from '@oclif/core/args'
import { formatFlag, SwarmCommand } from '../../../cli/swarm-command.ts'

export default class NodeInspect extends SwarmCommand {
  static override summary = 'Print all that is known of nodes, as JSON or by a template.'
  static override examples = [
    '<%= config.bin %> node inspect self',
    "<%= config.bin %> node inspect -f '{{.Status.State}}' w1",
  ]
  static override strict = false
  static override args = {
    node: stringArg({
      description: 'Names or ids of nodes; self is the one asked.',
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = { format: formatFlag }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(NodeInspect)
    const api = await this.openApi(flags)
    const { selfId } = await import('../../../swarm/client/task-view.ts')
    const read = async (ref: string) =>
      api.get<object>(`/nodes/${encodeURIComponent(await selfId(api, ref))}`)
    await this.printObjects(await Promise.all((argv as string[]).map(read)), flags.format)
  }
}
