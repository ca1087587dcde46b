import { string as stringArg } from '@oclif/core/args'
import { boolean } from '@oclif/core/flags'
import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class ServicePs extends SwarmCommand {
  static override summary = 'List the tasks of services.'
  static override examples = [
    '<%= config.bin %> service ps web',
    '<%= config.bin %> service ps --no-trunc web',
  ]
  static override enableJsonFlag = true
  static override strict = false
  static override args = {
    service: stringArg({ description: 'Names or ids of services.', required: true, ignoreStdin: true }),
  }
  static override flags = {
    'no-trunc': boolean({ summary: "Don't shorten ids and errors." }),
    quiet: boolean({ char: 'q', summary: 'Print ids only.' }),
  }

  async run(): Promise<object[]> {
    const { argv, flags } = await this.parse(ServicePs)
    const api = await this.openApi(flags)
    const { serviceTasks, taskTable } = await import('../../../swarm/client/task-view.ts')
    const tasks = await serviceTasks(api, argv as string[])
    for (const line of await taskTable(api, tasks, flags)) this.log(line)
    return tasks
  }
}
