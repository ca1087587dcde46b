import { boolean, integer, string } from '@oclif/core/flags'
import { MachineCommand } from '../../cli/machine-command.ts'
import type { MachineRow } from '../../machine/list.ts'
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
    filter: string({
      summary: 'Only machines with KEY=VALUE: driver, state, name (a regular expression), swarm.',
      multiple: true,
      multipleNonGreedy: true,
    }),
    format: string({
      char: 'f',
      summary: 'Template for each line, such as "{{.Name}} {{.URL}}"; with "table" before it under a head.',
    }),
    quiet: boolean({ char: 'q', summary: 'Print names only, without asking anybody.' }),
    timeout: integer({ char: 't', summary: 'Seconds to wait for each machine.', default: 10, min: 1 }),
  }

  async run(): Promise<object[] | undefined> {
    const { flags } = await this.parse(Ls)
    const app = await this.openApp(flags)
    const { machineFilter } = await import('../../machine/list-filters.ts')
    const matches = machineFilter(flags.filter ?? [])
    if (flags.quiet && !flags.filter) {
      for (const { name } of await app.store.list()) this.log(name)
      return
    }
    const { listMachines } = await import('../../machine/list.ts')
    const all = await listMachines(app, {
      timeoutMs: flags.timeout * 1000,
      dockerHost: process.env.DOCKER_HOST,
    })
    const rows = all.filter(matches)
    if (flags.quiet) for (const { name } of rows) this.log(name)
    else if (flags.format !== undefined) await this.printFormatted(flags.format, rows)
    else this.log(formatTable([head, ...rows.map(cells)]))
    return rows
  }

  private async printFormatted(format: string, rows: MachineRow[]): Promise<void> {
    const { formatTemplate } = await import('../../machine/format.ts')
    const isTable = /^table\s/.test(format)
    const template = format
      .replace(/^table\s+/, '')
      .replaceAll('\\t', '\t')
      .replaceAll('\\n', '\n')
    const lines = rows.map((row) => formatTemplate(template, fields(row)))
    if (!isTable) {
      for (const line of lines) this.log(line)
      return
    }
    this.log(formatTable([formatTemplate(template, heads), ...lines].map((line) => line.split('\t'))))
  }
}

const head = ['NAME', 'ACTIVE', 'DRIVER', 'STATE', 'URL', 'SWARM', 'DOCKER', 'ERRORS']

function cells(row: MachineRow): string[] {
  const shown = fields(row)
  return [
    shown.Name,
    shown.Active,
    shown.DriverName,
    shown.State,
    shown.URL,
    shown.Swarm,
    shown.DockerVersion,
    shown.Error,
  ]
}

/** The names that docker-machine's templates know. */
function fields({ name, active, driver, state, url, swarm, engine, error }: MachineRow) {
  return {
    Name: name,
    Active: active ? '*' : '-',
    ActiveHost: active,
    DriverName: driver,
    State: state,
    URL: url,
    Swarm: swarm,
    DockerVersion: engine ? `v${engine}` : 'Unknown',
    Error: error,
  }
}

const heads = {
  Name: 'NAME',
  Active: 'ACTIVE',
  ActiveHost: 'ACTIVE_HOST',
  DriverName: 'DRIVER',
  State: 'STATE',
  URL: 'URL',
  Swarm: 'SWARM',
  DockerVersion: 'DOCKER',
  Error: 'ERRORS',
}
