import { createInterface } from 'node:readline/promises'
import { boolean } from '@oclif/core/flags'
import { MachineCommand, namesArg } from '../../cli/machine-command.ts'
import { fail } from '../../machine/errors.ts'

export default class Rm extends MachineCommand {
  static override summary = 'Remove machines with everything that was made for them.'
  static override examples = [
    '<%= config.bin %> rm m1',
    '<%= config.bin %> rm -y m1 w1',
    '<%= config.bin %> rm --all -y',
  ]
  static override strict = false
  static override args = { name: namesArg }
  static override flags = {
    force: boolean({
      char: 'f',
      summary: 'Forget them even where something is left, and name it; implies --yes.',
    }),
    yes: boolean({ char: 'y', summary: "Don't ask." }),
    all: boolean({ summary: 'All machines of the storage.' }),
  }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Rm)
    const app = await this.openApp(flags)
    const names = flags.all
      ? (await app.store.list()).map(({ name }) => name)
      : [...new Set(argv as string[])]
    if (names.length === 0) {
      if (flags.all) return
      throw fail('E_OPTION', { option: 'NAME', why: 'name the machines to remove, or give --all' })
    }
    if (!flags.yes && !flags.force && !(await this.confirm(names))) return
    const { removeMachine } = await import('../../machine/remove.ts')
    await this.forEach(names, async (name, progress) => {
      const left = await removeMachine({ ...app, reporter: progress }, name, { force: flags.force })
      await progress.settled()
      for (const what of left) this.warn(`${name}: left behind: ${what}`)
      this.log(`Machine ${name} is gone.`)
    })
  }

  private async confirm(names: string[]): Promise<boolean> {
    if (!process.stdin.isTTY)
      throw fail('E_OPTION', { option: '--yes', why: 'nobody can be asked here; give -y' })
    const prompt = createInterface({ input: process.stdin, output: process.stderr })
    const answer = await prompt.question(`Remove ${names.join(', ')} with everything on it? (y/n) `)
    prompt.close()
    return /^y(es)?$/i.test(answer.trim())
  }
}
