import { string as stringArg } from '@oclif/core/args'
import { boolean, string } from '@oclif/core/flags'
import { SwarmCommand, waitFlag } from '../../cli/swarm-command.ts'

export default class Deploy extends SwarmCommand {
  static override summary = 'Deploy a stack from a Compose file, or bring it up to date.'
  static override description =
    'Without -c it takes compose.yaml of this folder. Without a name the stack is called as the file says in `name`, else as its folder. Variables come from the environment, else from .env beside the file.'
  static override examples = [
    '<%= config.bin %> deploy',
    '<%= config.bin %> deploy -c compose.yaml shop',
    '<%= config.bin %> deploy -c compose.yaml -c production.yaml --prune shop',
  ]
  static override args = { stack: stringArg({ description: "The stack's name.", ignoreStdin: true }) }
  static override flags = {
    'compose-file': string({
      char: 'c',
      summary: 'Compose file; - for standard input. Later ones add to earlier ones.',
      multiple: true,
      multipleNonGreedy: true,
    }),
    detach: boolean({ char: 'd', summary: "Don't wait until the tasks run." }),
    prune: boolean({ summary: 'Remove services of the stack that the file no longer has.' }),
    quiet: boolean({ char: 'q', summary: 'Print nothing but warnings and errors.' }),
    wait: waitFlag,
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Deploy)
    const { defaultStackName, loadCompose } = await import('../../swarm/stack/load.ts')
    const { readStack } = await import('../../swarm/stack/stack.ts')
    const compose = await loadCompose(flags['compose-file'] ?? [], process.env)
    const stack = await readStack(args.stack ?? defaultStackName(compose), compose)
    for (const warning of stack.warnings) this.warn(warning)
    const api = await this.openApi(flags)
    const { deployStack } = await import('../../swarm/client/deploy.ts')
    const said = (line: string) => {
      if (!flags.quiet) this.log(line)
    }
    const services = await deployStack(api, stack, { prune: flags.prune, said })
    if (!flags.detach) await this.waitForServices(api, services, flags)
  }
}
