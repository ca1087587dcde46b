import { describe, expect, test } from 'vitest'
import type { Azure } from '../../../../../src/machine/drivers/azure/clients.ts'
import { firewallRules } from '../../../../../src/machine/drivers/azure/firewall.ts'
import { isArm, newestLts, parseImage } from '../../../../../src/machine/drivers/azure/image.ts'
import { nicBody } from '../../../../../src/machine/drivers/azure/nic.ts'
import { azureMachine } from '../../../../../src/machine/drivers/azure/settings.ts'
import { stateOf } from '../../../../../src/machine/drivers/azure/vm.ts'
import { attempts, hostName, vmBody } from '../../../../../src/machine/drivers/azure/vm-body.ts'
import type { DriverOptions } from '../../../../../src/machine/record.ts'

const azure = { subscription: 'S' } as Azure

function machine(options: DriverOptions = {}) {
  return azureMachine({
    version: 1,
    id: '0123456789ab',
    name: 'web.one',
    driver: 'azure',
    created: '2026-01-01T00:00:00.000Z',
    owner: 'ann@laptop',
    options: { location: 'westus2', size: 'Standard_B2als_v2', 'resource-group': 'g', vnet: 'v', ...options },
    dockerContext: false,
    phase: 'creating',
    journal: [],
    made: {},
  })
}

describe('the firewall', () => {
  const shown = (options: DriverOptions) =>
    firewallRules({ options }).map(
      ({ name, protocol, destinationPortRange, sourceAddressPrefix, sourceAddressPrefixes }) =>
        `${name} ${protocol} ${destinationPortRange} from ${sourceAddressPrefixes?.join('+') ?? sourceAddressPrefix}`,
    )

  test('lets callers to SSH and the engine, and the swarm’s members to one another', () => {
    expect(shown({ 'allow-from': ['198.51.100.7', '203.0.113.0/24'] })).toEqual([
      'ssh Tcp 22 from 198.51.100.7+203.0.113.0/24',
      'engine Tcp 2376 from 198.51.100.7+203.0.113.0/24',
      'swarm Tcp 2377 from VirtualNetwork',
      'overlay Udp 4789 from VirtualNetwork',
    ])
  })

  test('opens to everybody only what is named', () => {
    const rules = shown({
      'allow-from': ['198.51.100.7'],
      'open-port': ['80', '53/udp'],
      'docker-port': 1234,
    })
    expect(rules.filter((rule) => rule.endsWith('from *'))).toEqual([
      'open-80-tcp Tcp 80 from *',
      'open-53-udp Udp 53 from *',
    ])
    expect(rules[1]).toMatch(/^engine Tcp 1234/)
  })

  test('lets in nobody from outside where nobody is named', () => {
    expect(shown({}).filter((rule) => !rule.endsWith('from VirtualNetwork'))).toEqual([])
  })

  test('gives each rule a priority of its own', () => {
    const priorities = firewallRules({ options: { 'open-port': ['80', '81'] } }).map(
      ({ priority }) => priority,
    )
    expect(new Set(priorities).size).toBe(priorities.length)
  })
})

describe('the way to capacity', () => {
  test('is one regular VM where nothing was said', () => {
    expect(attempts({ options: {} })).toEqual([{ spot: false }])
  })

  test('is spare capacity in every zone first, then regular', () => {
    expect(attempts({ options: { spot: true, 'availability-zone': ['1', '2'] } })).toEqual([
      { spot: true, zone: '1' },
      { spot: true, zone: '2' },
      { spot: false, zone: '1' },
      { spot: false, zone: '2' },
    ])
  })

  test('ends with spare capacity where only that is wanted', () => {
    expect(attempts({ options: { spot: true, 'spot-only': true } })).toEqual([{ spot: true }])
  })
})

describe('a VM', () => {
  const input = {
    image: parseImage('Canonical:ubuntu-24_04-lts:server:latest'),
    userPublicKey: 'ssh-ed25519 AAAA',
    userData: Buffer.from('#cloud-config\n'),
  }

  test('takes its disk, interface and address along', () => {
    const body = vmBody(azure, machine(), { ...input, attempt: { spot: false } })
    expect(body.storageProfile?.osDisk?.deleteOption).toBe('Delete')
    expect(body.networkProfile?.networkInterfaces?.[0]).toMatchObject({ deleteOption: 'Delete' })
    const [config] = nicBody(azure, machine()).ipConfigurations
    expect(config?.publicIPAddress).toMatchObject({ deleteOption: 'Delete' })
  })

  test('is tagged in the call that makes it, and has no password', () => {
    const body = vmBody(azure, machine(), { ...input, attempt: { spot: false } })
    expect(body.tags).toMatchObject({ 'tsmachine:id': '0123456789ab', 'tsmachine:owner': 'ann@laptop' })
    expect(body.osProfile?.linuxConfiguration?.disablePasswordAuthentication).toBe(true)
    expect(Buffer.from(body.osProfile?.customData ?? '', 'base64').toString()).toBe('#cloud-config\n')
    expect(body.priority).toBeUndefined()
  })

  test('on spare capacity says what becomes of it and what it may cost', () => {
    const options = { 'spot-eviction-policy': 'Delete', 'spot-max-price': '0.02' }
    const body = vmBody(azure, machine(options), { ...input, attempt: { spot: true, zone: '2' } })
    expect(body).toMatchObject({
      priority: 'Spot',
      evictionPolicy: 'Delete',
      billingProfile: { maxPrice: 0.02 },
      zones: ['2'],
    })
  })

  test('is the same call each time', () => {
    const body = () => JSON.stringify(vmBody(azure, machine(), { ...input, attempt: { spot: true } }))
    expect(body()).toBe(body())
  })

  test.each([
    ['web.one', 'web-one'],
    ['a'.repeat(63), 'a'.repeat(63)],
  ])('named %s is the host %s', (name, host) => expect(hostName(name)).toBe(host))

  test('without a public address has an interface without one', () => {
    const { ipConfigurations } = nicBody(
      azure,
      machine({ 'no-public-ip': true, 'private-ip-address': '10.0.0.9' }),
    )
    expect(ipConfigurations[0]).not.toHaveProperty('publicIPAddress')
    expect(ipConfigurations[0]).toMatchObject({
      privateIPAllocationMethod: 'Static',
      privateIPAddress: '10.0.0.9',
    })
  })
})

describe('an image', () => {
  test('is the newest Ubuntu LTS, and neither a daily nor a special edition', () => {
    const offers = [
      'ubuntu-22_04-lts',
      'ubuntu-26_04-lts-daily',
      'ubuntu-24_04-lts',
      'ubuntu-25_10',
      'ubuntu-24_04-pro',
    ]
    expect(newestLts(offers)).toBe('ubuntu-24_04-lts')
    expect(newestLts([...offers, 'ubuntu-26_04-lts'])).toBe('ubuntu-26_04-lts')
    expect(newestLts(['debian-13'])).toBeUndefined()
  })

  test.each([
    ['Standard_B2als_v2', false],
    ['Standard_B2pls_v2', true],
    ['Standard_D4ps_v5', true],
    ['Standard_D2s_v3', false],
    ['Standard_E4-2ps_v6', true],
    ['Standard_NP10s', false],
  ])('for %s is for ARM: %s', (size, arm) => expect(isArm(size)).toBe(arm))
})

describe('a state', () => {
  test.each([
    ['PowerState/running', 'Succeeded', 'Running'],
    ['PowerState/starting', 'Updating', 'Starting'],
    ['PowerState/deallocating', 'Updating', 'Stopping'],
    ['PowerState/stopped', 'Succeeded', 'Stopped'],
    ['PowerState/deallocated', 'Succeeded', 'Stopped'],
    [undefined, 'Creating', 'Starting'],
    [undefined, 'Deleting', 'Stopping'],
    [undefined, 'Failed', 'Error'],
  ])('%s while it is %s is %s', (power, provisioning, state) => {
    expect(stateOf(power === undefined ? [] : [{ code: power }], provisioning)).toBe(state)
  })
})
