import { string } from '@oclif/core/flags'
import { MachineCommand, nameArg } from '../../cli/machine-command.ts'

export default class Inspect extends MachineCommand {
  static override summary = 'Print what is recorded of a machine, as JSON or by a template.'
  static override examples = [
    '<%= config.bin %> inspect m1',
    "<%= config.bin %> inspect -f '{{.Driver.IPAddress}}' m1",
    "<%= config.bin %> inspect -f '{{prettyjson .Driver}}' m1",
  ]
  static override args = { name: nameArg }
  static override flags = {
    format: string({
      char: 'f',
      summary: 'Template with {{.Field.Field}}, {{json .Field}}, {{prettyjson .Field}}.',
    }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Inspect)
    const app = await this.openApp(flags)
    const record = await app.store.get(await this.nameOr(app, args.name))
    const { inspectMachine } = await import('../../machine/inspect.ts')
    const { formatTemplate } = await import('../../machine/format.ts')
    const view = inspectMachine(app.store.paths, record)
    this.log(
      flags.format === undefined ? JSON.stringify(view, undefined, 4) : formatTemplate(flags.format, view),
    )
  }
}
