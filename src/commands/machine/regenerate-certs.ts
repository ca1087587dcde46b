import { boolean } from '@oclif/core/flags'
import { MachineCommand, namesArg } from '../../cli/machine-command.ts'

export default class RegenerateCerts extends MachineCommand {
  static override summary = "Make the certificates of machines' engines anew; containers go on."
  static override examples = ['<%= config.bin %> regenerate-certs m1']
  static override strict = false
  static override args = { name: namesArg }
  static override flags = {
    force: boolean({ char: 'f', summary: 'Accepted for scripts of docker-machine; nothing is asked here.' }),
  }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(RegenerateCerts)
    const app = await this.openApp(flags)
    const { renewCertificate } = await import('../../machine/certificates.ts')
    await this.forEach(await this.namesOr(app, argv as string[]), async (name, reporter) => {
      await renewCertificate({ ...app, reporter }, name)
      await reporter.settled()
      this.log(`The certificate of ${name} is new.`)
    })
  }
}
