import { string as stringArg } from '@oclif/core/args'
import { boolean } from '@oclif/core/flags'
import { SwarmCommand, waitFlag } from '../../../cli/swarm-command.ts'

export default class ServiceScale extends SwarmCommand {
  static override summary = 'Change how many tasks services have.'
  static override examples = [
    '<%= config.bin %> service scale web=5',
    '<%= config.bin %> service scale web=5 api=2',
  ]
  static override strict = false
  static override args = {
    service: stringArg({ description: 'SERVICE=NUMBER, one or several.', required: true, ignoreStdin: true }),
  }
  static override flags = {
    detach: boolean({ char: 'd', summary: "Don't wait until the tasks run." }),
    wait: waitFlag,
  }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(ServiceScale)
    const { parseScale, scaleService } = await import('../../../swarm/client/service-view.ts')
    const wanted = (argv as string[]).map(parseScale)
    const api = await this.openApi(flags)
    const scaled: { id: string; name: string }[] = []
    await this.forEachRef(argv as string[], async (text) => {
      const { ref, replicas } = wanted[argv.indexOf(text)]!
      const { ID, Spec } = await scaleService(api, ref, replicas)
      this.log(`${ref} scaled to ${replicas}`)
      scaled.push({ id: ID, name: Spec.Name })
    })
    if (!flags.detach) await this.waitForServices(api, scaled, { wait: flags.wait, quiet: false })
  }
}
