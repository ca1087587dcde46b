import { describe, expect, test } from 'vitest'
import { localNames } from '../../../../../src/machine/drivers/local/names.ts'
import { type NetworkState, planNetwork } from '../../../../../src/machine/drivers/local/network.ts'

const names = localNames('/root/.tsmachine', '0123456789ab')
const lease = { subnet: '192.168.200.0/24', gateway: '192.168.200.1', address: '192.168.200.2' }
const complete: NetworkState = {
  bridge: true,
  bridgeReady: true,
  netns: true,
  veth: true,
  hostReady: true,
  table: true,
}
const nothing: NetworkState = {
  bridge: false,
  bridgeReady: false,
  netns: false,
  veth: false,
  hostReady: false,
  table: false,
}
const plan = (state: NetworkState) => planNetwork(state, names, lease).map(({ argv }) => argv.join(' '))

describe('names in the kernel', () => {
  test('fit, and differ between storages and machines', () => {
    for (const name of [names.bridge, names.veth]) expect(name.length).toBeLessThanOrEqual(15)
    const other = localNames('/tmp/other', '0123456789ab')
    const sibling = localNames('/root/.tsmachine', 'ffffffffffff')
    expect(other.bridge).not.toBe(names.bridge)
    expect(other.veth).not.toBe(names.veth)
    expect(sibling.bridge).toBe(names.bridge)
    expect(sibling.veth).not.toBe(names.veth)
    expect(sibling.cgroup.startsWith(`${names.cgroupParent}/`)).toBe(true)
  })
})

describe('planNetwork', () => {
  test('does nothing where all is there', () => expect(plan(complete)).toEqual([]))

  test('makes all of it from nothing, in an order that works', () => {
    const { bridge, veth, netns } = names
    expect(plan(nothing)).toEqual([
      `ip link add ${bridge} type bridge`,
      `ip address replace 192.168.200.1/24 dev ${bridge}`,
      `ip link set ${bridge} up`,
      `ip netns add ${netns}`,
      `ip link add ${veth} type veth peer name eth0 netns ${netns}`,
      `ip link set ${veth} master ${bridge} up`,
      `ip -netns ${netns} link set lo up`,
      `ip -netns ${netns} address replace 192.168.200.2/24 dev eth0`,
      `ip -netns ${netns} link set eth0 up`,
      `ip -netns ${netns} route replace default via 192.168.200.1`,
      'nft -f -',
    ])
  })

  test('replaces a veth whose namespace is gone', () => {
    const commands = plan({ ...complete, netns: false, hostReady: false })
    expect(commands.slice(0, 3)).toEqual([
      `ip netns add ${names.netns}`,
      `ip link delete ${names.veth}`,
      `ip link add ${names.veth} type veth peer name eth0 netns ${names.netns}`,
    ])
  })

  test('mends only the address of a host that lost it', () => {
    const commands = plan({ ...complete, hostReady: false })
    expect(commands).toHaveLength(4)
    expect(commands.every((line) => line.startsWith(`ip -netns ${names.netns} `))).toBe(true)
  })

  test('translates for the own subnet only, in a table of its own', () => {
    const [command] = planNetwork({ ...complete, table: false }, names, lease)
    expect(command?.stdin).toContain(`table ip ${names.table} {`)
    expect(command?.stdin).toContain(`ip saddr 192.168.200.0/24 oifname != "${names.bridge}" masquerade`)
  })
})
