import { string as stringArg } from '@oclif/core/args'
import { boolean } from '@oclif/core/flags'
import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class NodePs extends SwarmCommand {
  static override summary = 'List the tasks on nodes.'
  static override examples = ['<%= config.bin %> node ps', '<%= config.bin %> node ps w1 w2']
  static override enableJsonFlag = true
  static override strict = false
  static override args = {
    node: stringArg({
      description: 'Names or ids of nodes; the one asked when left out.',
      ignoreStdin: true,
    }),
  }
  static override flags = {
    'no-trunc': boolean({ summary: "Don't shorten ids and errors." }),
    quiet: boolean({ char: 'q', summary: 'Print ids only.' }),
  }

  async run(): Promise<object[]> {
    const { argv, flags } = await this.parse(NodePs)
    const api = await this.openApi(flags)
    const { nodeTasks, taskTable } = await import('../../../swarm/client/task-view.ts')
    const tasks = await nodeTasks(api, argv.length > 0 ? (argv as string[]) : ['self'])
    for (const line of await taskTable(api, tasks, flags)) this.log(line)
    return tasks
  }
}
