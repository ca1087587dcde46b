import { integer } from '@oclif/core/flags'
import { MachineCommand } from '../../cli/machine-command.ts'
import { fail } from '../../machine/errors.ts'

export default class Active extends MachineCommand {
  static override summary = 'Print the name of the machine that DOCKER_HOST points at.'
  static override examples = ['<%= config.bin %> active']
  static override flags = {
    timeout: integer({ char: 't', summary: 'Seconds to wait for each machine.', default: 10, min: 1 }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Active)
    const app = await this.openApp(flags)
    const dockerHost = process.env.DOCKER_HOST
    const { listMachines } = await import('../../machine/list.ts')
    const rows =
      dockerHost === undefined ? [] : await listMachines(app, { timeoutMs: flags.timeout * 1000, dockerHost })
    const active = rows.find((row) => row.active)
    if (active) return this.log(active.name)
    const silent = rows.filter(({ state }) => state === 'Timeout').map(({ name }) => name)
    throw fail('E_NO_ACTIVE', { dockerHost, silent })
  }
}
