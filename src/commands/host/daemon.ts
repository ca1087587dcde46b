import { boolean, string } from '@oclif/core/flags'
import type { Flag, FlagInput } from '@oclif/core/interfaces'
import { BaseCommand } from '../../cli/command.ts'
import { type DaemonFlag, type DaemonValues, daemonFlags, daemonOptions } from '../../daemon/flags.ts'

/** The declared flags as oclif wants them; --debug is every command's. */
function toFlags(): FlagInput {
  const declared = Object.entries(daemonFlags as Record<string, DaemonFlag>).filter(
    ([name]) => name !== 'debug',
  )
  return Object.fromEntries(declared.map(([name, flag]) => [name, toFlag(flag)]))
}

function toFlag({ type, short, multiple, summary, default: fallback, options }: DaemonFlag): Flag<unknown> {
  const common = { char: short as 'H' | undefined, summary }
  if (type === 'boolean') return boolean(common) as Flag<unknown>
  if (multiple) return string({ ...common, multiple: true, options }) as Flag<unknown>
  return string({ ...common, options, default: fallback }) as Flag<unknown>
}

export default class Daemon extends BaseCommand {
  static override summary = 'Run the container engine on this host.'
  static override description =
    'Serves the Docker Engine API until SIGTERM. Containers go on when it ends, and the next daemon takes them over.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --host unix:///run/my.sock --data-root /srv/tshost',
  ]
  static override flags = toFlags()

  override async run(): Promise<void> {
    const { flags } = await this.parse(Daemon)
    const options = daemonOptions(flags as unknown as DaemonValues)
    const { runDaemon } = await import('../../daemon/main.ts')
    await runDaemon(options)
  }
}
