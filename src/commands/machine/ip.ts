import { MachineCommand, namesArg } from '../../cli/machine-command.ts'

export default class Ip extends MachineCommand {
  static override summary = 'Print the addresses of machines.'
  static override examples = ['<%= config.bin %> ip m1']
  static override strict = false
  static override args = { name: namesArg }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Ip)
    const app = await this.openApp(flags)
    const { requireRunning } = await import('../../machine/power.ts')
    for (const name of await this.namesOr(app, argv as string[])) {
      this.log((await requireRunning(app, name)).engine!.host)
    }
  }
}
