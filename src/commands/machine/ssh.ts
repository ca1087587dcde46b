import { MachineCommand, nameArg } from '../../cli/machine-command.ts'
import { positionals } from '../../cli/pass-through.ts'

export default class Ssh extends MachineCommand {
  static override summary = 'Log in to a machine, or run a command on it; ends with its exit code.'
  static override description =
    'Everything after NAME is the command: one word is a command line for the remote shell, several are its exact arguments.'
  static override examples = [
    '<%= config.bin %> ssh m1',
    '<%= config.bin %> ssh m1 df -h /var',
    "<%= config.bin %> ssh m1 'ps aux | head'",
  ]
  static override strict = false
  static override args = { name: nameArg }
  /** Everything after NAME belongs to the program. */
  static passThrough = true

  async run(): Promise<void> {
    const { raw, flags } = await this.parse(Ssh)
    const app = await this.openApp(flags)
    const [name, ...command] = positionals(raw)
    const { openShell } = await import('../../machine/shell.ts')
    // ssh's own way to say that the command begins.
    const program = command[0] === '--' ? command.slice(1) : command
    process.exitCode = await openShell(app, await this.nameOr(app, name), program, process)
  }
}
