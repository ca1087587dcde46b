import { MachineCommand, nameArg } from '../../cli/machine-command.ts'

export default class Url extends MachineCommand {
  static override summary = "Print the URL of a machine's engine."
  static override examples = ['<%= config.bin %> url m1']
  static override args = { name: nameArg }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Url)
    const app = await this.openApp(flags)
    const { requireRunning } = await import('../../machine/power.ts')
    const { engineUrl } = await import('../../machine/context.ts')
    this.log(engineUrl(await requireRunning(app, await this.nameOr(app, args.name))))
  }
}
