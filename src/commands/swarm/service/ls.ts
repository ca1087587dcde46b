import { boolean, string } from '@oclif/core/flags'
import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class ServiceLs extends SwarmCommand {
  static override summary = 'List services.'
  static override examples = [
    '<%= config.bin %> service ls',
    '<%= config.bin %> service ls --filter mode=global',
  ]
  static override enableJsonFlag = true
  static override flags = {
    filter: string({
      summary: 'Only services with KEY=VALUE: id, name, mode, label.',
      multiple: true,
      multipleNonGreedy: true,
    }),
    quiet: boolean({ char: 'q', summary: 'Print ids only.' }),
  }

  async run(): Promise<object[]> {
    const { flags } = await this.parse(ServiceLs)
    const api = await this.openApi(flags)
    const { filterMap } = await import('../../../swarm/client/node-view.ts')
    const { serviceHead, serviceRow } = await import('../../../swarm/client/tables.ts')
    const { listServices } = await import('../../../swarm/client/service-view.ts')
    const services = await listServices(api, filterMap(flags.filter ?? []))
    if (flags.quiet) for (const { ID } of services) this.log(ID.slice(0, 12))
    else this.printTable(serviceHead, services.map(serviceRow))
    return services
  }
}
