import { string as stringArg } from '@oclif/core/args'
import { boolean } from '@oclif/core/flags'
import { interruptSignal } from '../../cli/interrupt.ts'
import { MachineCommand } from '../../cli/machine-command.ts'

export default class Scp extends MachineCommand {
  static override summary = 'Copy files between machines and here; ends with the exit code of scp.'
  static override description = 'Each end is a path here, or [USER@]MACHINE:PATH.'
  static override examples = [
    '<%= config.bin %> scp notes.txt m1:/root/',
    '<%= config.bin %> scp -r m1:/var/log logs',
    '<%= config.bin %> scp m1:/root/notes.txt w1:',
  ]
  static override args = {
    source: stringArg({ description: 'Where from.', required: true, ignoreStdin: true }),
    target: stringArg({ description: 'Where to.', required: true, ignoreStdin: true }),
  }
  static override flags = {
    recursive: boolean({ char: 'r', summary: 'Copy folders with all that is in them.' }),
    quiet: boolean({ char: 'q', summary: 'Show no progress.' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Scp)
    const app = await this.openApp(flags, { signal: interruptSignal() })
    const { copyFiles } = await import('../../machine/copy.ts')
    const { recursive, quiet } = flags
    process.exitCode = await copyFiles(app, args.source, args.target, { recursive, quiet })
  }
}
