import { waitFor } from '../../src/shared/deadline.ts'
import { managerName } from '../../src/swarm/ca/authority.ts'
import { readMembership } from '../../src/swarm/membership.ts'
import { swarmPaths } from '../../src/swarm/paths.ts'
import { WireClient } from '../../src/swarm/wire/client.ts'
import type { ToManager, ToWorker } from '../../src/swarm/wire/messages.ts'
import type { FakeHost } from './swarm-cluster.ts'

const soon = { timeoutMs: 5000, everyMs: 10 }

/** Somebody who has a worker's certificate and says what he likes with it. */
export class RogueWorker {
  readonly received: ToWorker[] = []
  readonly #client: WireClient
  #ups = 0

  private constructor(managers: string[], certificates: { cert: string; key: string; ca: string }) {
    this.#client = new WireClient(
      { managers, serverName: managerName, ...certificates, periodMs: 100, graceMs: 4000, ownThread: false },
      {
        up: () => this.#ups++,
        received: (message) => this.received.push(message),
        down: () => undefined,
        failed: (error) => {
          throw error
        },
      },
    )
  }

  /** Takes the certificate of a host whose daemon is stopped. */
  static async of(host: FakeHost): Promise<RogueWorker> {
    const { membership, certificates } = (await readMembership(swarmPaths(host.folder)))!
    const rogue = new RogueWorker(membership.managers, certificates)
    await waitFor('the stream', () => rogue.#ups || undefined, soon)
    return rogue
  }

  say(message: unknown): void {
    this.#client.send(message as ToManager)
  }

  /** Says it on a new stream. @returns the code of the refusal */
  async isRefused(message: unknown): Promise<{ code: string; message: string }> {
    const [count, ups] = [this.received.length, this.#ups]
    this.say(message)
    const refusal = await waitFor(
      'a refusal',
      () => this.received.slice(count).find((one) => one.t === 'refused'),
      soon,
    )
    await waitFor('the next stream', () => this.#ups > ups || undefined, soon)
    return refusal
  }

  stop(): Promise<void> {
    return this.#client.stop()
  }
}
