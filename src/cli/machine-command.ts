/**
 * What the commands of tsmachine have in common: where the machines are stored, and how names are given.
 */
import { string as stringArg } from '@oclif/core/args'
import { string as stringFlag } from '@oclif/core/flags'
import type { App, AppOptions } from '../machine/context.ts'
import { BaseCommand } from './command.ts'
import { globalGroup } from './leading-flags.ts'
import { isLiveTerminal, type Progress, showProgress, silentProgress } from './progress.ts'

/** One machine; `default` where it is left out. */
export const nameArg = stringArg({
  description: 'Name of the machine; "default" when left out.',
  ignoreStdin: true,
})

/** The first of several; commands that take it read the rest from `argv`. */
export const namesArg = stringArg({
  description: 'Names of machines; "default" when left out.',
  ignoreStdin: true,
})

export abstract class MachineCommand extends BaseCommand {
  static override baseFlags = {
    ...BaseCommand.baseFlags,
    'storage-path': stringFlag({
      char: 's',
      summary: 'Folder of the machines; ~/.tsmachine by default.',
      env: 'TSMACHINE_STORAGE_PATH',
      helpGroup: globalGroup,
    }),
  }

  /** The machine layer on the storage folder that the flags name. */
  protected async openApp(flags: { 'storage-path'?: string }, more: Partial<AppOptions> = {}): Promise<App> {
    const { openApp } = await import('../machine/context.ts')
    return openApp({
      storagePath: flags['storage-path'],
      reporter: silentProgress,
      ...more,
    })
  }

  /** Steps shown live on a terminal, as lines elsewhere. */
  protected progress(options: { quiet?: boolean; prefix?: string } = {}): Progress {
    if (options.quiet) return silentProgress
    const terminal = isLiveTerminal() && options.prefix === undefined
    return showProgress({ terminal, prefix: options.prefix, write: (line) => this.log(line) })
  }

  /** The names given, or `default` where there is a machine of that name. */
  protected async namesOr(app: App, names: string[]): Promise<string[]> {
    if (names.length > 0) return [...new Set(names)]
    if (await app.store.find('default')) return ['default']
    const { fail } = await import('../machine/errors.ts')
    throw fail('E_NO_NAME', {})
  }

  protected async nameOr(app: App, name: string | undefined): Promise<string> {
    return (await this.namesOr(app, name === undefined ? [] : [name]))[0]!
  }

  /**
   * Does the same to several machines at once, and goes on over failures.
   * @throws the only failure, or one that names them all
   */
  protected async forEach(
    names: string[],
    work: (name: string, progress: Progress) => Promise<void>,
  ): Promise<void> {
    const results = await Promise.allSettled(
      names.map(async (name) => {
        const progress = this.progress(names.length > 1 ? { prefix: name } : {})
        try {
          await work(name, progress)
        } finally {
          await progress.settled()
        }
      }),
    )
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []))
    const [first, ...others] = errors
    if (!first) return
    // Each one has its line; the last one is told as the command's own failure.
    for (const error of others) this.logToStderr(`${this.config.bin}: ${error.message}`)
    throw first
  }
}
