import { SwarmCommand } from '../../../cli/swarm-command.ts'

export default class StackLs extends SwarmCommand {
  static override summary = 'List stacks.'
  static override examples = ['<%= config.bin %> stack ls', '<%= config.bin %> stack ls --json']
  static override enableJsonFlag = true

  async run(): Promise<object[]> {
    const { flags } = await this.parse(StackLs)
    const { listStacks } = await import('../../../swarm/client/stack-view.ts')
    const stacks = await listStacks(await this.openApi(flags))
    this.printTable(
      ['NAME', 'SERVICES'],
      stacks.map(({ name, services }) => [name, `${services}`]),
    )
    return stacks
  }
}
