/**
 * The one door to the SDK: a client for an account and region, that repeats what may be repeated and says what
 * is in doubt. The SDK loads with the first client.
 */
import type * as Sdk from '@aws-sdk/client-ec2'
import type { Clock } from '../../../shared/clock.ts'
import { failureOf, judge } from './refusal.ts'
import type { Throttle } from './throttle.ts'
import { sleep } from './wait.ts'

type CommandName = Extract<keyof typeof Sdk, `${string}Command`>
/** EC2's actions, by the names its API has for them. */
export type Action = CommandName extends `${infer A}Command` ? A : never
type CommandOf<A extends Action> = (typeof Sdk)[`${A}Command`]
type Input<A extends Action> = ConstructorParameters<CommandOf<A>>[0]
type Output<A extends Action> =
  InstanceType<CommandOf<A>> extends {
    resolveMiddleware: (...args: never[]) => (...args: never[]) => Promise<{ output: infer O }>
  }
    ? O
    : never

export interface Place {
  region?: string
  profile?: string
  endpoint?: string
}

/** The account, as far as it is known here, and the region. */
export function placeKey({ profile, endpoint, region }: Place): string {
  return JSON.stringify([profile, endpoint, region])
}

export interface ClientOptions extends Place {
  clock: Clock
  throttle: Throttle
  /** How long to wait for one answer, in real time. */
  requestMs: number
  /** From 0 to 1: the jitter in pauses. */
  random: () => number
  /** Called around each single request; `tsmachine prove` lets its faults happen here. */
  around?: <T>(action: string, request: () => Promise<T>) => Promise<T>
}

export interface CallOptions {
  /** Made once only: in doubt it fails with E_EC2_SILENT instead of being repeated. */
  once?: boolean
  /** Told when a request may have acted though there was no answer. */
  onDoubt?: () => void
  /** For calls that change nothing; the others are let come to their end. */
  signal?: AbortSignal
}

/** How often what got no answer is repeated, and for how long what was too much is. */
const mostTries = 5
const throttledMs = 15 * 60_000
const firstBackoffMs = 500
const longestBackoffMs = 20_000

export class Ec2Client {
  readonly #sdk: typeof Sdk
  readonly #client: Sdk.EC2Client
  readonly #options: ClientOptions

  private constructor(
    sdk: typeof Sdk,
    options: ClientOptions,
    credentials?: Sdk.EC2ClientConfig['credentials'],
  ) {
    const { region, profile, endpoint, requestMs } = options
    this.#sdk = sdk
    this.#options = options
    this.#client = new sdk.EC2Client({
      ...(region !== undefined && { region }),
      ...(profile !== undefined && { profile, credentials }),
      ...(endpoint !== undefined && { endpoint }),
      // Only we know which calls may be repeated.
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: requestMs,
        requestTimeout: requestMs,
        throwOnRequestTimeout: true,
      },
    })
  }

  static async open(options: ClientOptions): Promise<Ec2Client> {
    const sdk = await import('@aws-sdk/client-ec2')
    const { profile } = options
    if (profile === undefined) return new Ec2Client(sdk, options)
    // A profile that was named holds, even where the environment has keys as well.
    const { fromIni } = await import('@aws-sdk/credential-providers')
    return new Ec2Client(sdk, options, fromIni({ profile }))
  }

  /** The region that the options, the environment or the profile say; us-east-1 where none does. */
  async region(): Promise<string> {
    return this.#client.config.region().catch(() => 'us-east-1')
  }

  /**
   * One call, repeated with pauses while the cloud is busy, and while it gives no answer unless `once`.
   * @throws E_EC2 (its cause has EC2's code), E_EC2_PERMISSION, E_EC2_CREDENTIALS, E_EC2_SILENT
   */
  async call<A extends Action>(action: A, input: Input<A>, options: CallOptions = {}): Promise<Output<A>> {
    const { clock, throttle, endpoint, region } = this.#options
    const where = endpoint ?? region ?? 'the region'
    const giveUpMs = clock.now() + throttledMs
    for (let tries = 1; ; tries++) {
      await throttle.take(options.signal)
      try {
        const output = await this.#request(action, input)
        throttle.speedUp()
        return output
      } catch (error) {
        const verdict = judge(error)
        if (verdict === 'doubt') options.onDoubt?.()
        if (verdict === 'throttled') throttle.slowDown()
        const mayRepeat =
          verdict === 'throttled'
            ? clock.now() < giveUpMs
            : verdict !== 'refused' && tries < mostTries && !(verdict === 'doubt' && options.once)
        if (!mayRepeat) throw failureOf(error, action, where)
      }
      await this.#pause(tries, options.signal)
    }
  }

  close(): void {
    this.#client.destroy()
  }

  async #request<A extends Action>(action: A, input: Input<A>): Promise<Output<A>> {
    // One type for all actions is more than the compiler can follow from a name to its class.
    const Command = this.#sdk[`${action}Command`] as unknown as new (input: Input<A>) => never
    const request = () => this.#client.send(new Command(input)) as Promise<Output<A>>
    const { around } = this.#options
    return around ? around(action, request) : request()
  }

  /** Longer each time, and never the same for two: clients that were refused at once come back one by one. */
  async #pause(tries: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, random } = this.#options
    const most = Math.min(longestBackoffMs, firstBackoffMs * 2 ** (tries - 1))
    await sleep(clock, most / 2 + (random() * most) / 2, signal)
  }
}
