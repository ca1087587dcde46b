import { MachineCommand, namesArg } from '../../cli/machine-command.ts'

export default class Provision extends MachineCommand {
  static override summary =
    'Bring engine, certificates and service of machines in order; what is right stays.'
  static override examples = ['<%= config.bin %> provision m1']
  static override strict = false
  static override args = { name: namesArg }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Provision)
    const app = await this.openApp(flags)
    const { provisionMachine } = await import('../../machine/provision.ts')
    await this.forEach(await this.namesOr(app, argv as string[]), async (name, reporter) => {
      await provisionMachine({ ...app, reporter }, name)
    })
  }
}
