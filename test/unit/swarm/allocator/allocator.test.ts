import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  AddressCursors,
  capacityOf,
  macAddressOf,
  releaseAddress,
} from '../../../../src/swarm/allocator/addresses.ts'
import { contains, formatBlock, overlap, parseBlock } from '../../../../src/swarm/allocator/ip.ts'
import { takeSubnet, takeVni } from '../../../../src/swarm/allocator/networks.ts'
import { releaseEndpoint } from '../../../../src/swarm/allocator/services.ts'
import type { PortConfig } from '../../../../src/swarm/store/objects/service.ts'
import { SwarmState } from '../../../support/swarm-state.ts'

let state: SwarmState
beforeEach(async () => {
  state = await SwarmState.make()
})
afterEach(() => state.close())
const transact = <T>(work: Parameters<typeof state.database.transact<T>>[0]) => state.database.transact(work)
const claimed = (prefix: string) =>
  [...state.view.all('claim')].map((c) => c.ID).filter((id) => id.startsWith(prefix))

describe('addresses', () => {
  it('are given once, never the ends or the gateway, until there is none', async () => {
    await state.addNetwork('net', '10.0.9.0/29')
    const network = state.view.get('network', 'net')!
    const take = () => transact((draft) => state.cursors.take(draft, network, 'owner'))
    const taken = await Promise.all(Array.from({ length: 6 }, take))
    expect(taken.filter(Boolean).sort()).toEqual([2, 3, 4, 5, 6].map((n) => `10.0.9.${n}/29`))
    expect(capacityOf(network)).toBe(5)
    expect(await take()).toBeUndefined()
    await transact((draft) => releaseAddress(draft, 'net', '10.0.9.4/29', 'owner'))
    expect(await take()).toBe('10.0.9.4/29')
  })

  it('come round again as late as possible', async () => {
    await state.addNetwork('net', '10.0.9.0/28')
    const network = state.view.get('network', 'net')!
    const order: (string | undefined)[] = []
    for (let i = 0; i < 20; i++) {
      order.push(
        await transact((draft) => {
          const address = state.cursors.take(draft, network, 'x')!
          return address
        }),
      )
      await transact((draft) => releaseAddress(draft, 'net', order.at(-1)!, 'x'))
    }
    expect(new Set(order.slice(0, 13)).size).toBe(13)
    expect(order.slice(13, 20)).toEqual(order.slice(0, 7))
  })

  it('stay apart under a new manager that knows nothing of the old cursor', async () => {
    await state.addNetwork('net', '10.0.9.0/24')
    const network = state.view.get('network', 'net')!
    const one = await transact((draft) => new AddressCursors().take(draft, network, 'a'))
    const two = await transact((draft) => new AddressCursors().take(draft, network, 'b'))
    expect(one).not.toBe(two)
  })

  it('have a MAC that follows from their owner', () => {
    expect(macAddressOf('net', 'a')).toMatch(/^02:42(:[0-9a-f]{2}){4}$/)
    expect(macAddressOf('net', 'a')).toBe(macAddressOf('net', 'a'))
    expect(macAddressOf('net', 'a')).not.toBe(macAddressOf('net', 'b'))
  })

  it('are given and taken in any order without a double one or a loss', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 9 }), { maxLength: 40 }), async (owners) => {
        const one = await SwarmState.make()
        try {
          await one.addNetwork('net', '10.0.9.0/28')
          const network = one.view.get('network', 'net')!
          const held = new Map<number, string>()
          for (const owner of owners) {
            const address = held.get(owner)
            if (address) {
              await one.database.transact((draft) => releaseAddress(draft, 'net', address, `o${owner}`))
              held.delete(owner)
              continue
            }
            const got = await one.database.transact((draft) => one.cursors.take(draft, network, `o${owner}`))
            expect(got).toBeDefined()
            expect([...held.values()]).not.toContain(got)
            held.set(owner, got!)
          }
          expect([...one.view.all('claim')].filter((c) => c.ID.startsWith('address/'))).toHaveLength(
            held.size,
          )
        } finally {
          await one.close()
        }
      }),
      { numRuns: 30 },
    )
  })
})

describe('subnets', () => {
  const pool = { DefaultAddrPool: ['10.0.0.0/22'] }

  it('come from the pools, beside all that is known, until there is none', async () => {
    await state.addNetwork('asked', '10.0.1.0/25')
    await state.addNode('n', { Status: { State: 'ready', Addr: '10.0.2.7' } })
    const take = () => transact((draft) => takeSubnet(draft, pool, 24, 'x'))
    expect(await take()).toEqual({ Subnet: '10.0.0.0/24', Gateway: '10.0.0.1' })
    expect((await take()).Subnet).toBe('10.0.3.0/24')
    await expect(take()).rejects.toMatchObject({ code: 'E_POOL_FULL' })
  })

  it('are what was asked for, unless that is nonsense or taken', async () => {
    await state.addNetwork('asked', '10.0.1.0/24')
    const take = (wanted: object) => transact((draft) => takeSubnet(draft, pool, 24, 'x', wanted))
    expect(
      await take({ subnet: '192.168.9.5/24', gateway: '192.168.9.254', range: '192.168.9.128/25' }),
    ).toEqual({
      Subnet: '192.168.9.0/24',
      Gateway: '192.168.9.254',
      IPRange: '192.168.9.128/25',
    })
    await expect(take({ subnet: '10.0.0.0/16' })).rejects.toMatchObject({ code: 'E_SUBNET_TAKEN' })
    for (const wrong of [
      { subnet: 'x' },
      { subnet: '10.0.5.0/31' },
      { subnet: '300.0.0.0/8' },
      { subnet: '10.0.5.0/24', gateway: '10.0.6.1' },
      { subnet: '10.0.5.0/24', range: '10.0.4.0/23' },
    ]) {
      await expect(take(wrong)).rejects.toMatchObject({ code: 'E_SUBNET_INVALID' })
    }
  })

  it('have VXLAN numbers of their own', async () => {
    expect(await transact((draft) => [takeVni(draft, 'a'), takeVni(draft, 'b')])).toEqual([4096, 4097])
  })

  it('are blocks that overlap exactly when they share an address', () => {
    const block = fc
      .record({ base: fc.nat({ max: 255 }), prefix: fc.integer({ min: 24, max: 32 }) })
      .map(({ base, prefix }) => parseBlock(`10.0.0.${base}/${prefix}`)!)
    fc.assert(
      fc.property(block, block, (a, b) => {
        const all = Array.from({ length: 256 }, (_, i) => 10 * 2 ** 24 + i)
        expect(overlap(a, b)).toBe(all.some((address) => contains(a, address) && contains(b, address)))
        expect(parseBlock(formatBlock(a))).toEqual(a)
      }),
    )
  })
})

describe("a service's endpoint", () => {
  const port = (TargetPort: number, PublishedPort?: number, more: Partial<PortConfig> = {}): PortConfig => ({
    Protocol: 'tcp',
    TargetPort,
    PublishMode: 'ingress',
    ...(PublishedPort && { PublishedPort }),
    ...more,
  })
  const set = (id: string, Ports: PortConfig[], networks: string[] = []) =>
    state.setService(id, { EndpointSpec: { Ports } }, { Networks: networks.map((Target) => ({ Target })) })
  const ports = (id: string) => state.view.get('service', id)?.Endpoint.Ports?.map((p) => p.PublishedPort)

  it('has the ports that were named, and a number for those that were not', async () => {
    await set('a', [port(80), port(81, 30000), port(82)])
    expect(ports('a')).toEqual([30001, 30000, 30002])
    await set('b', [port(80, 30001, { Protocol: 'udp' }), port(80)])
    expect(ports('b')).toEqual([30001, 30003])
  })

  it('is refused a port that another service has, and then has nothing', async () => {
    await set('a', [port(80, 8080)])
    await expect(set('b', [port(80, 9090), port(80, 8080)])).rejects.toThrow(
      "port '8080' is already in use by service 'a' (a) as an ingress port",
    )
    expect(claimed('port/')).toEqual(['port/tcp/8080'])
    expect(state.view.get('service', 'b')).toBeUndefined()
    await set('b', [port(80, 8080, { PublishMode: 'host' })])
  })

  it('keeps its dynamic ports through updates and gives back what it drops', async () => {
    await set('a', [port(80), port(81, 8081)])
    await set('a', [port(81, 8082), port(80)])
    expect(ports('a')).toEqual([8082, 30000])
    expect(claimed('port/').sort()).toEqual(['port/tcp/30000', 'port/tcp/8082'])
    await transact((draft) => releaseEndpoint(draft, draft.get('service', 'a')!))
    expect(claimed('port/')).toEqual([])
  })

  it('has a virtual address on each network, which it keeps', async () => {
    await state.addNetwork('one', '10.0.1.0/24')
    await state.addNetwork('two', '10.0.2.0/24', { Vni: 4097 })
    await set('a', [], ['one', 'two'])
    const before = state.view.get('service', 'a')!.Endpoint.VirtualIPs!
    expect(before).toEqual([
      { NetworkID: 'one', Addr: '10.0.1.2/24' },
      { NetworkID: 'two', Addr: '10.0.2.2/24' },
    ])
    await set('a', [], ['two'])
    expect(state.view.get('service', 'a')!.Endpoint.VirtualIPs).toEqual([before[1]])
    expect(claimed('address/')).toEqual(['address/two/10.0.2.2'])
  })
})

describe("a task's addresses", () => {
  it('come with the task and go when it is over; a task without says which network is full', async () => {
    await state.addNode('n1')
    await state.addNetwork('small', '10.0.9.0/29')
    state.startLoop()
    await state.setService(
      'web',
      { Mode: { Replicated: { Replicas: 6 } } },
      { Networks: [{ Target: 'small' }] },
    )
    await state.converge()
    expect(state.running()).toHaveLength(4)
    const waiting = state.tasks().filter((task) => task.Status.State === 'new')
    expect(waiting.map((task) => task.Status.Err)).toEqual(
      Array(2).fill('no address is free on network small (10.0.9.0/29, 5 in all)'),
    )
    await state.setService(
      'web',
      { Mode: { Replicated: { Replicas: 4 } } },
      { Networks: [{ Target: 'small' }] },
    )
    await state.converge()
    expect(state.running()).toHaveLength(4)
    const addresses = state.running().map((task) => task.Attachments![0]!.Address)
    expect(new Set(addresses).size).toBe(4)
    expect(claimed('address/')).toHaveLength(5)
  })

  it('are found when another service lets go of some', async () => {
    await state.addNode('n1')
    await state.addNetwork('small', '10.0.9.0/29')
    state.startLoop()
    const on = { Networks: [{ Target: 'small' }] }
    await state.setService('a', { Mode: { Replicated: { Replicas: 3 } } }, on)
    await state.setService('b', { Mode: { Replicated: { Replicas: 2 } } }, on)
    await state.converge()
    expect(state.running('b')).toHaveLength(0)
    await state.setService('a', { Mode: { Replicated: { Replicas: 1 } } }, on)
    await state.converge()
    expect(state.running('b')).toHaveLength(2)
  })
})
