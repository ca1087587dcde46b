/**
 * What the commands of tsswarm have in common: finding the manager, tables, waiting for services.
 */
import { integer, string } from '@oclif/core/flags'
import { formatTable } from '../shared/table.ts'
import type { EngineApi } from '../swarm/client/api.ts'
import { BaseCommand } from './command.ts'
import { globalGroup } from './leading-flags.ts'
import { isLiveTerminal } from './progress.ts'

export const formatFlag = string({
  char: 'f',
  summary: 'Template with {{.Field.Field}}, {{json .Field}}, {{prettyjson .Field}}.',
})

/** How long a command waits for services when it is not detached. */
export const waitFlag = integer({
  summary: 'Seconds to wait until all tasks run.',
  default: 300,
  min: 1,
  exclusive: ['detach'],
})

export abstract class SwarmCommand extends BaseCommand {
  static override baseFlags = {
    ...BaseCommand.baseFlags,
    host: string({
      char: 'H',
      summary: 'The manager: unix:///PATH or tcp://HOST:PORT.',
      description:
        'Without it: DOCKER_HOST (with DOCKER_CERT_PATH and DOCKER_TLS_VERIFY), the docker context, else the only manager among the machines of tsmachine.',
      helpGroup: globalGroup,
    }),
  }

  /** @throws E_API_HOST, E_API_NOWHERE, E_API_CERTIFICATE, E_CONTEXT_UNKNOWN */
  protected async openApi(flags: { host?: string }): Promise<EngineApi> {
    const { findEndpoint } = await import('../swarm/client/connection.ts')
    const { EngineApi } = await import('../swarm/client/api.ts')
    const machine = async () => (await import('./manager-machine.ts')).findManagerMachine()
    const host = flags.host === undefined ? {} : { host: flags.host }
    return new EngineApi(await findEndpoint({ ...host, environment: process.env, machine }))
  }

  protected printTable(head: string[], rows: string[][]): void {
    this.log(formatTable([head, ...rows]))
  }

  /** As docker's inspect: a list, or each by a template. */
  protected async printObjects(objects: object[], format: string | undefined): Promise<void> {
    if (format === undefined) {
      this.log(JSON.stringify(objects, undefined, 4))
      return
    }
    const { formatTemplate } = await import('../machine/format.ts')
    for (const object of objects) this.log(formatTemplate(format, object))
  }

  /** Waits until the services run, and shows how far they are. */
  protected async waitForServices(
    api: EngineApi,
    services: { id: string; name: string }[],
    options: { wait: number; quiet: boolean; rollback?: boolean },
  ): Promise<void> {
    const { showConvergence } = await import('./service-progress.ts')
    await showConvergence(api, services, {
      timeoutMs: options.wait * 1000,
      isRollback: options.rollback ?? false,
      isTerminal: isLiveTerminal() && !options.quiet,
      write: options.quiet ? () => {} : (line) => this.log(line),
    })
  }

  /**
   * Does the same to several things, goes on over failures, and says each one that worked.
   * @throws the only failure, or the last one after the others were printed
   */
  protected async forEachRef(refs: string[], work: (ref: string) => Promise<void>): Promise<void> {
    const failed: Error[] = []
    for (const ref of refs) {
      try {
        await work(ref)
      } catch (error) {
        failed.push(error as Error)
      }
    }
    const last = failed.pop()
    for (const error of failed) this.logToStderr(`${this.config.bin}: ${error.message}`)
    if (last) throw last
  }
}
