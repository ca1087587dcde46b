import { boolean, integer } from '@oclif/core/flags'
import { MachineCommand } from '../../cli/machine-command.ts'
import { formatTable } from '../../shared/table.ts'

export default class Ls extends MachineCommand {
  static override summary = 'List machines.'
  static override examples = [
    '<%= config.bin %> ls',
    '<%= config.bin %> ls -q',
    '<%= config.bin %> ls --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    quiet: boolean({ char: 'q', summary: 'Print names only, without asking anybody.' }),
    timeout: integer({ char: 't', summary: 'Seconds to wait for each machine.', default: 10, min: 1 }),
  }

  async run(): Promise<object[] | undefined> {
    const { flags } = await this.parse(Ls)
    const app = await this.openApp(flags)
    if (flags.quiet) {
      for (const { name } of await app.store.list()) this.log(name)
      return
    }
    const { listMachines } = await import('../../machine/list.ts')
    const rows = await listMachines(app, {
      timeoutMs: flags.timeout * 1000,
      dockerHost: process.env.DOCKER_HOST,
    })
    const head = ['NAME', 'ACTIVE', 'DRIVER', 'STATE', 'URL', 'SWARM', 'DOCKER', 'ERRORS']
    const lines = rows.map((row) => [
      row.name,
      row.active ? '*' : '-',
      row.driver,
      row.state,
      row.url,
      row.swarm,
      row.engine ? `v${row.engine}` : 'Unknown',
      row.error,
    ])
    this.log(formatTable([head, ...lines]))
    return rows
  }
}
