import { string as stringArg } from '@oclif/core/args'
import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class StackServices extends SwarmCommand {
  static override summary = 'List the services of a stack.'
  static override examples = ['<%= config.bin %> stack services shop']
  static override enableJsonFlag = true
  static override args = {
    stack: stringArg({ description: "The stack's name.", required: true, ignoreStdin: true }),
  }

  async run(): Promise<object[]> {
    const { args, flags } = await this.parse(StackServices)
    const { readStackParts } = await import('../../../swarm/client/stack-view.ts')
    const { serviceHead, serviceRow } = await import('../../../swarm/client/tables.ts')
    const { services } = await readStackParts(await this.openApi(flags), args.stack)
    services.sort((a, b) => a.Spec.Name.localeCompare(b.Spec.Name))
    if (services.length === 0) this.logToStderr(`Nothing found in stack: ${args.stack}`)
    else this.printTable(serviceHead, services.map(serviceRow))
    return services
  }
}
