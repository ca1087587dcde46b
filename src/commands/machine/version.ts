import { string as stringArg } from '@oclif/core/args'
import { MachineCommand } from '../../cli/machine-command.ts'

export default class Version extends MachineCommand {
  static override summary = "Print the version of tsmachine, or of a machine's engine."
  static override examples = ['<%= config.bin %> version', '<%= config.bin %> version m1']
  static override args = {
    name: stringArg({ description: 'Name of the machine whose engine is asked.', ignoreStdin: true }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Version)
    if (args.name === undefined) return this.log(`${this.config.bin} version ${this.config.version}`)
    const app = await this.openApp(flags)
    const { checkConnection } = await import('../../machine/client-config.ts')
    this.log((await checkConnection(app, args.name)).engineVersion)
  }
}
