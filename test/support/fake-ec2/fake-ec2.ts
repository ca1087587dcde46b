/**
 * A stateful stand-in for EC2's query API. Each access key is an account of its own; each of its regions has its
 * own resources. `Life` of fault-gate.ts puts it behind a real HTTP port.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, systemClock } from '../../../src/shared/clock.ts'
import type { CloudAnswer, CloudCall, FakeCloud } from '../fault-gate.ts'
import { Behaviour, type BehaviourOptions } from './behaviour.ts'
import { catalogueActions } from './catalogue.ts'
import { instanceActions } from './instance-actions.ts'
import { networkActions } from './network-actions.ts'
import { Ec2Error, type Params, parseQuery, text, type XmlValue, xml } from './query.ts'
import { Region, type Resource } from './region.ts'

const actions = { ...catalogueActions, ...networkActions, ...instanceActions }

export class FakeEc2 implements FakeCloud {
  /** Every call that came, refused ones included. */
  readonly calls: { account: string; region: string; action: string; params: Params }[] = []
  readonly #clock: Clock
  readonly #options: BehaviourOptions
  readonly #regions = new Map<string, Region>()
  readonly #behaviour: Behaviour

  constructor(options: BehaviourOptions = {}, clock: Clock = systemClock) {
    this.#options = options
    this.#clock = clock
    this.#behaviour = new Behaviour(options)
  }

  /** The resources of one account (its access key) in one region. */
  region(account = 'AKIATEST', name = 'us-east-1'): Region {
    const key = `${account} ${name}`
    let region = this.#regions.get(key)
    if (!region) {
      region = new Region(name, this.#clock, this.#behaviour)
      this.#regions.set(key, region)
    }
    return region
  }

  /** All that lives, of all accounts. */
  living(): Resource[] {
    return [...this.#regions.values()].flatMap((region) => region.living())
  }

  census(): string[] {
    return this.living().map(({ id }) => id)
  }

  countOf(action: string): number {
    return this.calls.filter((call) => call.action === action).length
  }

  async handle(call: CloudCall): Promise<CloudAnswer> {
    if (this.#options.latencyMs) await sleep(this.#options.latencyMs)
    const params = parseQuery(call.body)
    const action = text(params.Action) ?? ''
    const [, account = '', regionName = ''] =
      /Credential=([^/]+)\/\d+\/([^/]+)\/ec2\//.exec(call.headers.authorization ?? '') ?? []
    this.calls.push({ account, region: regionName, action, params })
    try {
      if (!account) throw new Ec2Error('AuthFailure', 'no credentials in the request', 401)
      if (!this.#behaviour.admits(this.#clock.now()))
        throw new Ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503)
      const region = this.region(account, regionName)
      region.settle()
      const act = actions[action]
      if (!act) throw new Ec2Error('InvalidAction', `The action ${action} is not valid`)
      return answer(action, act(region, params))
    } catch (error) {
      if (error instanceof Ec2Error) return refusal(error)
      throw error
    }
  }

  errorAnswer(kind: 'refused' | 'failed'): CloudAnswer {
    return refusal(
      kind === 'refused'
        ? new Ec2Error('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403)
        : new Ec2Error('InternalError', 'An internal error has occurred', 500),
    )
  }
}

const headers = { 'content-type': 'text/xml;charset=UTF-8' }

function answer(action: string, value: XmlValue): CloudAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>
<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>0</requestId>${xml(value)}</${action}Response>`
  return { status: 200, headers, body }
}

function refusal({ code, message, status }: Ec2Error): CloudAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>${code}</Code><Message>${xml(message)}</Message></Error></Errors><RequestID>0</RequestID></Response>`
  return { status, headers, body }
}
