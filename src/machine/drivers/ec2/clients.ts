/** Clients and their throttles, one for each account and region that this process talks to. */
import type { Clock } from '../../../shared/clock.ts'
import type { MachineRecord } from '../../record.ts'
import { type ClientOptions, Ec2Client, type Place, placeKey } from './client.ts'
import { madeOf } from './made.ts'
import type { Session } from './session.ts'
import { settingsOf } from './settings.ts'
import { Throttle } from './throttle.ts'

export interface ClientsOptions extends Pick<ClientOptions, 'requestMs' | 'random' | 'around'> {
  clock: Clock
  /** Calls go here, whatever the record says; for tests whose server has another port each time. */
  endpointOverride?: string
}

export class Clients {
  readonly #options: ClientsOptions
  readonly #clients = new Map<string, Promise<Ec2Client>>()

  constructor(options: ClientsOptions) {
    this.#options = options
  }

  /** What the steps of this machine work with. The region, once it is known, stays with the record. */
  async session(record: MachineRecord): Promise<Session> {
    const made = madeOf(record)
    const settings = settingsOf(record.options)
    const { profile, endpoint } = settings
    const ec2 = await this.open({ profile, endpoint, region: made.region ?? settings.region })
    made.region ??= await ec2.region()
    return { ec2, clock: this.#options.clock, record, made, settings, region: made.region }
  }

  open(place: Place): Promise<Ec2Client> {
    const key = placeKey(place)
    let client = this.#clients.get(key)
    if (!client) {
      const region = place.region ?? (place.endpoint === undefined ? undefined : 'us-east-1')
      const { endpointOverride, ...options } = this.#options
      client = Ec2Client.open({
        ...options,
        ...place,
        endpoint: endpointOverride ?? place.endpoint,
        region,
        throttle: new Throttle(this.#options.clock),
      })
      this.#clients.set(key, client)
    }
    return client
  }
}
