import { MachineCommand, nameArg } from '../../cli/machine-command.ts'

export default class Config extends MachineCommand {
  static override summary = 'Print the flags with which docker reaches a machine.'
  static override examples = ['docker $(<%= config.bin %> config m1) ps']
  static override args = { name: nameArg }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Config)
    const app = await this.openApp(flags)
    const { checkConnection } = await import('../../machine/client-config.ts')
    const { url, certPath } = await checkConnection(app, await this.nameOr(app, args.name))
    this.log('--tlsverify')
    this.log(`--tlscacert="${certPath}/ca.pem"`)
    this.log(`--tlscert="${certPath}/cert.pem"`)
    this.log(`--tlskey="${certPath}/key.pem"`)
    this.log(`-H=${url}`)
  }
}
