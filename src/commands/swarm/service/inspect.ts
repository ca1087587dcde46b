import { string as stringArg } from '@oclif/core/args'
import { formatFlag, SwarmCommand } from '../../../cli/swarm-command.ts'

export default class ServiceInspect extends SwarmCommand {
  static override summary = 'Print all that is known of services, as JSON or by a template.'
  static override examples = [
    '<%= config.bin %> service inspect web',
    "<%= config.bin %> service inspect -f '{{json .Endpoint}}' web",
  ]
  static override strict = false
  static override args = {
    service: stringArg({ description: 'Names or ids of services.', required: true, ignoreStdin: true }),
  }
  static override flags = { format: formatFlag }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(ServiceInspect)
    const api = await this.openApi(flags)
    const { readService } = await import('../../../swarm/client/service-view.ts')
    await this.printObjects(
      await Promise.all((argv as string[]).map((ref) => readService(api, ref))),
      flags.format,
    )
  }
}
