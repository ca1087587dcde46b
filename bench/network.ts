/**
 * What a container's network costs, in a network namespace of its own so that nothing of the machine counts:
 * attach and detach on the network `bridge`, with a published port, and on a user-defined network (resolver and
 * virtual addresses inside); one element and one whole table of nftables, with few and with many ports.
 * Prints medians; asserts nothing.
 */
import { encode } from 'dns-packet'
import { openNft } from '../src/engine/kernel/nft.ts'
import type { Networks } from '../src/engine/network/networks.ts'
import { missing } from '../test/support/needs.ts'
import { containerRequest, exchangeUdp, TestHost } from '../test/support/network.ts'
import { median, printTable } from './print.ts'

const rounds = Number(process.env.ROUNDS ?? 60)

export async function benchNetwork(): Promise<void> {
  const reason = missing('ip', 'nft')
  if (reason) throw new Error(`bench network ${reason}`)
  const host = new TestHost()
  try {
    const networks = await host.open()
    networks.finishAdoption()
    await networks.create({ Name: 'mine' })
    const rows: string[][] = []
    const cases: [string, Partial<ReturnType<typeof containerRequest>>][] = [
      ['network bridge', {}],
      ['network bridge, one port', { ports: { bindings: { '80/tcp': [{ HostIp: '', HostPort: '' }] } } }],
      ['user-defined network', { networkMode: 'mine' }],
    ]
    for (const [name, change] of cases) rows.push([name, ...(await timeAttach(networks, change))])
    printTable(['container', 'attach, ms', 'best', 'detach, ms', 'best'], rows)
    printTable(['nftables', 'median ms'], await timeRules(networks, host))
    printTable(['resolver', 'median ms'], await timeNames(networks))
  } finally {
    host.close()
  }
}

async function timeAttach(networks: Networks, change: object): Promise<string[]> {
  const attach: number[] = []
  const detach: number[] = []
  for (let i = 0; i < rounds; i++) {
    const request = containerRequest(`bench${i}`, change)
    attach.push(time(() => networks.attachContainer(request)))
    // As between containers that start one after the other.
    await new Promise((resolve) => setTimeout(resolve, 5))
    detach.push(time(() => networks.detachContainer(request.id)))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return [attach, detach].flatMap((all) => [median(all).toFixed(2), Math.min(...all).toFixed(2)])
}

async function timeRules(networks: Networks, host: TestHost): Promise<string[][]> {
  const rows: string[][] = []
  const nft = openNft().open(host.namespace)
  const table = 'tshost_0000aaaa'
  const element = (i: number) => `ip ${table} ports { tcp . ${20000 + i} : 172.17.9.9 . 80 }`
  const port = (i: number) => `ip ${table} ports { tcp . ${20000 + i} }`
  for (const many of [0, 1000]) {
    const fill = Array.from({ length: many }, (_, i) => `add element ${element(5000 + i)}`).join('\n')
    if (fill) nft.run(fill)
    const add: number[] = []
    const remove: number[] = []
    for (let i = 0; i < rounds; i++) {
      add.push(time(() => nft.run(`add element ${element(i)}`)))
      remove.push(time(() => nft.run(`delete element ${port(i)}`)))
    }
    rows.push([`add an element, ${many} there`, median(add).toFixed(3)])
    rows.push([`remove an element, ${many} there`, median(remove).toFixed(3)])
  }
  const look: number[] = []
  // The first look mends what was added behind the engine's back; then nothing changes.
  networks.checkNow()
  for (let i = 0; i < rounds; i++) look.push(time(() => networks.checkNow()))
  rows.push(['look whether anything was changed', median(look).toFixed(3)])
  return rows
}

/** One question after the other, over a socket of its own each: the client's part is in the time too. */
async function timeNames(networks: Networks): Promise<string[][]> {
  const { namespace } = networks.attachContainer(containerRequest('asker', { networkMode: 'mine' }))
  if (namespace.kind !== 'join') throw new Error('the container has no namespace')
  const questions = [{ name: 'asker', type: 'A' as const }]
  const message = encode({ type: 'query', id: 1, flags: 0x100, questions })
  const times: number[] = []
  for (let i = 0; i < rounds * 5; i++) {
    const before = performance.now()
    await exchangeUdp(namespace.fd, '127.0.0.11', 53, message)
    times.push(performance.now() - before)
  }
  return [['a name of the network', median(times).toFixed(3)]]
}

function time(fn: () => void): number {
  const before = performance.now()
  fn()
  return performance.now() - before
}
