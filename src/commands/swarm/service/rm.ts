import { string as stringArg } from '@oclif/core/args'
import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class ServiceRm extends SwarmCommand {
  static override summary = 'Remove services, with their tasks.'
  static override examples = ['<%= config.bin %> service rm web']
  static override strict = false
  static override args = {
    service: stringArg({ description: 'Names or ids of services.', required: true, ignoreStdin: true }),
  }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(ServiceRm)
    const api = await this.openApi(flags)
    await this.forEachRef(argv as string[], async (ref) => {
      await api.delete(`/services/${encodeURIComponent(ref)}`)
      this.log(ref)
    })
  }
}
