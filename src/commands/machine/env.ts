import { boolean, string } from '@oclif/core/flags'
import { MachineCommand, nameArg } from '../../cli/machine-command.ts'
import { fail } from '../../machine/errors.ts'

export default class Env extends MachineCommand {
  static override summary = 'Print the commands that point docker, and any other client, at a machine.'
  static override examples = ['eval $(<%= config.bin %> env m1)', 'eval $(<%= config.bin %> env -u)']
  static override args = { name: nameArg }
  static override flags = {
    shell: string({
      summary: 'bash, zsh, sh, fish, tcsh, powershell, cmd or emacs; else the one of $SHELL.',
    }),
    unset: boolean({ char: 'u', summary: 'Unset the variables instead.' }),
    'no-proxy': boolean({ summary: "Add the machine's address to NO_PROXY." }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Env)
    const { envLines, noProxyWith, shellNamed, unsetLines } = await import('../../machine/env.ts')
    const shell = shellNamed(flags.shell, process.env.SHELL, process.platform)
    const command = [this.config.bin, 'env', ...this.argv].join(' ')
    if (flags.unset) {
      if (args.name !== undefined) throw fail('E_OPTION', { option: '--unset', why: 'it takes no machine' })
      const variable = flags['no-proxy'] ? noProxyWith(process.env, '').variable : undefined
      return this.log(unsetLines(shell, variable, command).join('\n'))
    }
    const app = await this.openApp(flags)
    const { checkConnection } = await import('../../machine/client-config.ts')
    const { name, host, url, certPath } = await checkConnection(app, await this.nameOr(app, args.name))
    const noProxy = flags['no-proxy'] ? noProxyWith(process.env, host) : undefined
    this.log(envLines(shell, { name, url, certPath, noProxy, command }).join('\n'))
  }
}
