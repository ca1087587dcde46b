import { MachineCommand, nameArg } from '../../cli/machine-command.ts'

export default class Status extends MachineCommand {
  static override summary = 'Print the state of a machine, such as Running or Stopped.'
  static override examples = ['<%= config.bin %> status m1']
  static override args = { name: nameArg }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Status)
    const app = await this.openApp(flags)
    const { observeMachine } = await import('../../machine/power.ts')
    this.log(await observeMachine(app, await this.nameOr(app, args.name)))
  }
}
