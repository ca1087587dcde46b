import { string as stringArg } from '@oclif/core/args'
import { boolean } from '@oclif/core/flags'
import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class StackPs extends SwarmCommand {
  static override summary = 'List the tasks of a stack.'
  static override examples = ['<%= config.bin %> stack ps shop', '<%= config.bin %> stack ps --no-trunc shop']
  static override enableJsonFlag = true
  static override args = {
    stack: stringArg({ description: "The stack's name.", required: true, ignoreStdin: true }),
  }
  static override flags = {
    'no-trunc': boolean({ summary: "Don't shorten ids and errors." }),
    quiet: boolean({ char: 'q', summary: 'Print ids only.' }),
  }

  async run(): Promise<object[]> {
    const { args, flags } = await this.parse(StackPs)
    const api = await this.openApi(flags)
    const { stackTasks } = await import('../../../swarm/client/stack-view.ts')
    const { taskTable } = await import('../../../swarm/client/task-view.ts')
    const tasks = await stackTasks(api, args.stack)
    for (const line of await taskTable(api, tasks, flags)) this.log(line)
    return tasks
  }
}
