import { describe, expect, test } from 'vitest'
import { cloudOf } from '../../../../../src/machine/drivers/azure/clouds.ts'
import { azureMachine, checkSettings, openPort } from '../../../../../src/machine/drivers/azure/settings.ts'
import type { DriverOptions, MachineRecord } from '../../../../../src/machine/record.ts'

const good: DriverOptions = {
  'subscription-id': '00000000-0000-4000-8000-000000000001',
  location: 'westus2',
  size: 'Standard_B2als_v2',
  'allow-from': ['198.51.100.7'],
}

function record(options: DriverOptions = {}, more: Partial<MachineRecord> = {}): MachineRecord {
  return {
    version: 1,
    id: '0123456789ab',
    name: 'web1',
    driver: 'azure',
    created: '2026-01-01T00:00:00.000Z',
    owner: 'ann@laptop',
    options: { ...good, ...options },
    dockerContext: false,
    phase: 'creating',
    journal: [],
    made: {},
    ...more,
  }
}

describe('the options', () => {
  test('are taken as they are in the simplest case', () => {
    expect(() => checkSettings(good)).not.toThrow()
  })

  const bad: [name: string, options: DriverOptions, why: RegExp][] = [
    ['a subscription that is none', { 'subscription-id': 'mine' }, /--azure-subscription-id: "mine"/],
    ['an unknown cloud', { environment: 'AzureMoon' }, /--azure-environment: "AzureMoon" is none of/],
    ['an endpoint without TLS', { endpoint: 'http://arm.test' }, /--azure-endpoint: .* no https/],
    ['an image that is none', { image: 'ubuntu' }, /--azure-image: "ubuntu"/],
    ['a plan in two parts', { plan: 'a:b' }, /--azure-plan: "a:b"/],
    ['an unknown eviction policy', { 'spot-eviction-policy': 'Keep' }, /--azure-spot-eviction-policy/],
    ['a price that is none', { 'spot-max-price': '-3' }, /--azure-spot-max-price/],
    ['a zone and a set', { 'availability-set': 's', 'availability-zone': ['1'] }, /--azure-availability-set/],
    ['a set for a spot VM', { 'availability-set': 's', spot: true }, /--azure-availability-set/],
    ['a label for no address', { dns: 'x', 'no-public-ip': true }, /--azure-dns/],
    ['a tag without its value', { tags: 'a,1,b' }, /--azure-tags/],
    ['a port that is none', { 'open-port': ['70000'] }, /--azure-open-port: "70000"/],
    ['a source that is none', { 'allow-from': ['me'] }, /--azure-allow-from: "me"/],
    ['a mask too long', { 'allow-from': ['192.0.2.0/33'] }, /--azure-allow-from: "192.0.2.0\/33"/],
    ['nobody let in', { 'allow-from': [] }, /--azure-allow-from: name the addresses/],
  ]
  test.each(bad)('are refused with the flag and the reason: %s', (_, options, why) => {
    expect(() => checkSettings({ ...good, ...options })).toThrow(why)
  })

  test('need no --azure-allow-from where a group of the user’s rules, or nothing is public', () => {
    const { 'allow-from': _, ...closed } = good
    const others: DriverOptions[] = [{ nsg: 'mine' }, { 'use-private-ip': true }, { 'no-public-ip': true }]
    for (const more of others) expect(() => checkSettings({ ...closed, ...more })).not.toThrow()
  })

  test.each([
    ['8080', { port: '8080', protocol: 'Tcp' }],
    ['53/udp', { port: '53', protocol: 'Udp' }],
    ['53/*', { port: '53', protocol: '*' }],
  ])('open %s as %o', (given, wanted) => expect(openPort(given)).toEqual(wanted))
})

describe('a machine’s names', () => {
  test('follow from its id, and the shared ones from owner and region', () => {
    const one = azureMachine(record())
    expect(one.names).toEqual({
      vm: 'tsmachine-0123456789ab',
      disk: 'tsmachine-0123456789ab-disk',
      nic: 'tsmachine-0123456789ab-nic',
      address: 'tsmachine-0123456789ab-ip',
      firewall: 'tsmachine-0123456789ab-firewall',
    })
    expect(one.group).toMatch(/^tsmachine-[0-9a-f]{8}-westus2$/)
    expect(one.network).toEqual({ group: one.group, name: one.group, subnet: 'tsmachine' })
    expect(azureMachine(record({}, { id: 'ba9876543210', name: 'web2' })).group).toBe(one.group)
    expect(azureMachine(record({}, { owner: 'bob@laptop' })).group).not.toBe(one.group)
    expect(azureMachine(record({ location: 'northeurope' })).group).not.toBe(one.group)
  })

  test('give way to the user’s, with the network in a group of its own', () => {
    const { group, network } = azureMachine(record({ 'resource-group': 'g', vnet: 'net-g:v', subnet: 's' }))
    expect({ group, network }).toEqual({ group: 'g', network: { group: 'net-g', name: 'v', subnet: 's' } })
  })

  test('come with tags that the user’s can add to and not replace', () => {
    const { tags, sharedTags } = azureMachine(record({ tags: 'team,blue,tsmachine:id,x' }))
    expect(tags).toEqual({
      team: 'blue',
      'tsmachine:id': '0123456789ab',
      'tsmachine:name': 'web1',
      'tsmachine:owner': 'ann@laptop',
    })
    expect(sharedTags).toEqual({ 'tsmachine:owner': 'ann@laptop' })
  })
})

describe('the clouds', () => {
  test('have their own resource manager, sign-in and scope', () => {
    const { endpoint, authority, scope } = cloudOf({ environment: 'azureusgovernmentcloud' })
    expect(new URL(endpoint).host).toMatch(/usgov/)
    expect(new URL(authority).host).toMatch(/\.us$/)
    expect(scope).toBe(`${endpoint}/.default`)
  })

  test('are talked to at another endpoint with a token for the cloud itself', () => {
    const { endpoint, scope } = cloudOf({ endpoint: 'https://arm.test/' })
    expect(endpoint).toBe('https://arm.test')
    expect(scope).toBe(cloudOf({}).scope)
  })
})
