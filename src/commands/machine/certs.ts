import { MachineCommand } from '../../cli/machine-command.ts'
import { formatTable } from '../../shared/table.ts'

export default class Certs extends MachineCommand {
  static override summary = 'List certificates and how long they are good.'
  static override description = 'regenerate-certs makes those of machines anew.'
  static override examples = ['<%= config.bin %> certs', '<%= config.bin %> certs --json']
  static override enableJsonFlag = true

  async run(): Promise<object[]> {
    const { flags } = await this.parse(Certs)
    const app = await this.openApp(flags)
    const { listCertificates } = await import('../../machine/certificates.ts')
    const rows = await listCertificates(app)
    const lines = rows.map(({ of, days, error, path }) => [of, `${days ?? error ?? 'missing'}`, path])
    this.log(formatTable([['OF', 'DAYS LEFT', 'FILE'], ...lines]))
    return rows
  }
}
