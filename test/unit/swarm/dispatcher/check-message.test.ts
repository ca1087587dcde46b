import { afterEach, describe, expect, it } from 'vitest'
import { checkDataPath, checkMessage } from '../../../../src/swarm/dispatcher/check-message.ts'
import type { ToManager } from '../../../../src/swarm/wire/messages.ts'
import { RogueWorker } from '../../../support/rogue-worker.ts'
import { StreamLog } from '../../../support/stream-log.ts'
import { FakeCluster } from '../../../support/swarm-cluster.ts'

const description = {
  Hostname: 'w1',
  Platform: { Architecture: 'x86_64', OS: 'linux' },
  Resources: { NanoCPUs: 4e9, MemoryBytes: 2 ** 33 },
  Engine: { EngineVersion: '1', Labels: { a: 'b' }, Plugins: [{ Type: 'Log', Name: 'local' }] },
}
const hello = { t: 'hello', version: 1, description, advertiseAddr: '127.0.0.1', statuses: [] as unknown[] }
const status = (Status: object, ID: unknown = 't1') => ({ t: 'status', statuses: [{ ID, Status }] })
const running = { Timestamp: '2026-01-01T00:00:00.000Z', State: 'running', Message: 'started' }
const long = 'x'.repeat(2 ** 17)

const bad: [why: string, message: unknown, field: string][] = [
  ['an empty description', { ...hello, description: {} }, 'description.Hostname'],
  ['no description', { ...hello, description: undefined }, 'description'],
  [
    'resources that are no numbers',
    { ...hello, description: { ...description, Resources: { MemoryBytes: '8g' } } },
    'description.Resources.MemoryBytes',
  ],
  [
    'labels that are no texts',
    { ...hello, description: { ...description, Engine: { EngineVersion: '1', Labels: { a: 1 } } } },
    'description.Engine.Labels.a',
  ],
  ['a long host name', { ...hello, description: { ...description, Hostname: long } }, 'description.Hostname'],
  [
    'a long description',
    {
      ...hello,
      description: {
        ...description,
        Engine: {
          EngineVersion: '1',
          Labels: Object.fromEntries(Array.from({ length: 9999 }, (_, i) => [i, '12345'])),
        },
      },
    },
    'description',
  ],
  ['an address that is no text', { ...hello, advertiseAddr: {} }, 'advertiseAddr'],
  ['no statuses', { ...hello, statuses: null }, 'statuses'],
  ['a status that is none', { ...hello, statuses: [null] }, 'statuses.0'],
  ['a time that is none', status({ ...running, Timestamp: 'x' }), 'statuses.0.Status.Timestamp'],
  [
    'a day that is none',
    status({ ...running, Timestamp: '2026-13-01T00:00:00.000Z' }),
    'statuses.0.Status.Timestamp',
  ],
  ['a start that is none', status({ ...running, RunningAt: 1 }), 'statuses.0.Status.RunningAt'],
  ['a state that is none', status({ ...running, State: 'sleeping' }), 'statuses.0.Status.State'],
  ["a state that is the manager's", status({ ...running, State: 'orphaned' }), 'statuses.0.Status.State'],
  ['no state', status({ Timestamp: running.Timestamp }), 'statuses.0.Status.State'],
  ['an id that is no text', status(running, 7), 'statuses.0.ID'],
  ['a long error', status({ ...running, Err: long }), 'statuses.0.Status.Err'],
  [
    'ports that are none',
    status({ ...running, PortStatus: { Ports: [{ TargetPort: 'http' }] } }),
    'statuses.0.Status.PortStatus.Ports.0.Protocol',
  ],
  ['statuses that are no list', { t: 'status', statuses: {} }, 'statuses'],
  ['a request that is no text', { t: 'renew', request: [] }, 'request'],
  ['an unknown message', { t: 'constructor' }, 't'],
]

describe('a message of a worker', () => {
  it.each(bad)('with %s is refused, by the field', (_, message, field) => {
    expect(() => checkMessage(JSON.parse(JSON.stringify(message)) as ToManager)).toThrow(
      expect.objectContaining({
        code: 'E_MESSAGE_INVALID',
        message: expect.stringContaining(`malformed message: ${field} `),
      }),
    )
  })

  it('that is right is taken, without what nobody knows', () => {
    const Status = {
      ...running,
      RunningAt: running.Timestamp,
      ContainerStatus: { ContainerID: 'c', PID: 1, ExitCode: 0 },
      PortStatus: {},
    }
    const message = { ...hello, statuses: [{ ID: 't1', Status: { ...Status, Junk: long } }], junk: 1 }
    checkMessage(message as never)
    expect(message).toEqual({ ...hello, statuses: [{ ID: 't1', Status }] })
  })

  it('of another version is told so, whatever it looks like', () => {
    expect(() => checkMessage({ t: 'hello', version: 2 } as never)).toThrow(
      expect.objectContaining({ code: 'E_WIRE_VERSION' }),
    )
  })
})

describe('the address that others send overlay traffic to', () => {
  it.each(['10.0.0.1', '127.0.0.1', '223.255.255.254'])('may be %s', (address) => {
    expect(() => checkDataPath(address)).not.toThrow()
  })

  it.each(['fd00::1', '::ffff:10.0.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', 'host', ''])(
    'is refused where it is %s',
    (address) => {
      expect(() => checkDataPath(address)).toThrow(
        expect.objectContaining({
          code: 'E_SPEC_INVALID',
          message: expect.stringContaining('choose one with --data-path-addr'),
        }),
      )
    },
  )
})

describe('a worker that somebody has taken over', () => {
  let cluster: FakeCluster | undefined
  let rogue: RogueWorker | undefined
  afterEach(async () => {
    await rogue?.stop()
    await cluster?.close()
  })

  it('stops nobody but itself', async () => {
    const log = new StreamLog()
    cluster = await FakeCluster.make(2, { log })
    const c = cluster
    await c.stopDaemon(c.host('w1'))
    await c.setService('early', { Mode: { Replicated: { Replicas: 3 } } })
    await c.settled('early', 3)
    rogue = await RogueWorker.of(c.host('w1'))
    rogue.say(hello)
    const before = log.opened.filter((id) => id !== c.nodeId('m1'))
    const over = ['an empty description', 'a time that is none', 'a status that is none']
    for (const [, message] of bad.filter(([why]) => over.includes(why))) {
      const { code } = await rogue.isRefused(message)
      expect([message, code]).toEqual([message, 'E_MESSAGE_INVALID'])
    }
    const ipv6 = { ...hello, advertiseAddr: 'fd00::1' }
    expect(await rogue.isRefused(ipv6)).toMatchObject({ code: 'E_SPEC_INVALID' })
    // The others' streams stand, and what they are told goes on.
    const w2 = c.host('w2').node!.membership!.nodeId
    expect(log.opened.filter((id) => id === w2)).toEqual(before.filter((id) => id === w2))
    await c.setService(
      'late',
      { Mode: { Replicated: { Replicas: 2 } } },
      {
        Resources: { Reservations: { MemoryBytes: 2 ** 30 } },
        Placement: { Constraints: ['node.hostname!=w1'] },
      },
    )
    await c.settled('late', 2)
  })
})
