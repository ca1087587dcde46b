import { string as stringArg } from '@oclif/core/args'
import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class StackRm extends SwarmCommand {
  static override summary = 'Remove stacks.'
  static override examples = ['<%= config.bin %> stack rm shop']
  static override strict = false
  static override args = {
    stack: stringArg({ description: 'Names of stacks.', required: true, ignoreStdin: true }),
  }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(StackRm)
    const api = await this.openApi(flags)
    const { removeStack } = await import('../../../swarm/client/stack-view.ts')
    await this.forEachRef(argv as string[], async (stack) => {
      const isFound = await removeStack(api, stack, (line) => this.log(line))
      if (!isFound) this.logToStderr(`Nothing found in stack: ${stack}`)
    })
  }
}
