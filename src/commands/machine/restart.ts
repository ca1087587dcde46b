import { duration } from '../../cli/duration-flag.ts'
import { MachineCommand, namesArg } from '../../cli/machine-command.ts'

export default class Restart extends MachineCommand {
  static override summary = 'Power machines off and on again.'
  static override examples = ['<%= config.bin %> restart m1']
  static override strict = false
  static override args = { name: namesArg }
  static override flags = {
    timeout: duration({ summary: 'How long to wait for the host and the engine. [default: 3m]' }),
  }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Restart)
    const app = await this.openApp(flags, flags.timeout ? { waitMs: flags.timeout } : {})
    const { switchPower } = await import('../../machine/power.ts')
    await this.forEach(await this.namesOr(app, argv as string[]), (name, reporter) => {
      return switchPower({ ...app, reporter }, name, 'restart')
    })
  }
}
