import nock from 'nock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ensureAddress } from '../../../../../src/machine/drivers/azure/address.ts'
import { allOf, remove } from '../../../../../src/machine/drivers/azure/calls.ts'
import { type Azure, connectAzure } from '../../../../../src/machine/drivers/azure/clients.ts'
import { ensureGroup } from '../../../../../src/machine/drivers/azure/group.ts'
import { ensureNic } from '../../../../../src/machine/drivers/azure/nic.ts'
import { azureMachine } from '../../../../../src/machine/drivers/azure/settings.ts'
import { fail } from '../../../../../src/machine/errors.ts'
import type { MachineRecord } from '../../../../../src/machine/record.ts'
import { JumpClock } from '../../../../support/fault-gate.ts'

const subscription = '00000000-0000-4000-8000-000000000001'
const base = 'https://arm.test'
const record: MachineRecord = {
  version: 1,
  id: '0123456789ab',
  name: 'web1',
  driver: 'azure',
  created: '2026-01-01T00:00:00.000Z',
  owner: 'ann@laptop',
  options: { 'subscription-id': subscription, location: 'westus2', 'resource-group': 'g', endpoint: base },
  dockerContext: false,
  phase: 'creating',
  journal: [],
  made: {},
}
const machine = azureMachine(record)
const group = `/subscriptions/${subscription}/resourceGroups/g`
const lowerGroup = group.toLowerCase()
const address = `${group}/providers/Microsoft.Network/publicIPAddresses/tsmachine-0123456789ab-ip`
const tags = { 'tsmachine:id': '0123456789ab', 'tsmachine:name': 'web1', 'tsmachine:owner': 'ann@laptop' }

let clock = new JumpClock(0)
let azure: Azure

beforeEach(async () => {
  nock.disableNetConnect()
  clock = new JumpClock(0)
  azure = await connectAzure(record.options, {
    clock,
    random: () => 0,
    credential: { getToken: async () => ({ token: 'a-token', expiresOnTimestamp: Date.now() + 3_600_000 }) },
  })
})

afterEach(() => {
  nock.cleanAll()
  nock.enableNetConnect()
})

const arm = () => nock(base, { reqheaders: { authorization: 'Bearer a-token' } })
const refused = (code: string) => ({ error: { code, message: 'because' } })
const quiet = new AbortController().signal

describe('a call', () => {
  test('makes a group with the owner’s tag where there is none', async () => {
    arm().get(lowerGroup).query(true).reply(404, refused('ResourceGroupNotFound'))
    const body = { location: 'westus2', tags: { 'tsmachine:owner': 'ann@laptop' } }
    const put = arm()
      .put(lowerGroup, body)
      .query(true)
      .reply(201, { ...body, name: 'g' })
    await ensureGroup(azure, machine, quiet)
    expect(put.isDone()).toBe(true)
  })

  test('leaves a group that is there as it is', async () => {
    arm()
      .get(lowerGroup)
      .query(true)
      .reply(200, { location: 'elsewhere', name: 'g', properties: { provisioningState: 'Succeeded' } })
    await ensureGroup(azure, machine, quiet)
    expect(nock.isDone()).toBe(true)
  })

  test('makes a static address of the standard kind, tagged', async () => {
    const put = arm()
      .put(address, {
        location: 'westus2',
        tags,
        sku: { name: 'Standard', tier: 'Regional' },
        properties: { publicIPAllocationMethod: 'Static', publicIPAddressVersion: 'IPv4' },
      })
      .query(true)
      .reply(200, { properties: { provisioningState: 'Succeeded' } })
    await ensureAddress(azure, machine, quiet)
    expect(put.isDone()).toBe(true)
  })

  test('ties the interface to subnet, security group and address', async () => {
    const at = `${group}/providers/Microsoft.Network`
    const put = arm()
      .put(`${at}/networkInterfaces/tsmachine-0123456789ab-nic`, ({ properties, tags: given }) => {
        const [{ properties: config }] = properties.ipConfigurations
        return (
          given['tsmachine:id'] === record.id &&
          properties.networkSecurityGroup.id ===
            `${at}/networkSecurityGroups/tsmachine-0123456789ab-firewall` &&
          config.publicIPAddress.id === address &&
          config.publicIPAddress.properties.deleteOption === 'Delete' &&
          config.subnet.id === `${at}/virtualNetworks/${machine.network.name}/subnets/tsmachine`
        )
      })
      .query(true)
      .reply(200, { properties: { provisioningState: 'Succeeded' } })
    await ensureNic(azure, machine, quiet)
    expect(put.isDone()).toBe(true)
  })

  test('follows its operation as slowly as the service wants', async () => {
    const at = `${base}/subscriptions/${subscription}/providers/Microsoft.Network/locations/w/operations/1`
    const headers = { 'azure-asyncoperation': `${at}?api-version=1`, 'retry-after': '11' }
    arm()
      .put(address)
      .query(true)
      .reply(201, { properties: { provisioningState: 'Updating' } }, headers)
    arm().get(new URL(at).pathname).query(true).reply(200, { status: 'InProgress' }, { 'retry-after': '5' })
    arm().get(new URL(at).pathname).query(true).reply(200, { status: 'Succeeded' })
    arm()
      .get(address)
      .query(true)
      .reply(200, { properties: { provisioningState: 'Succeeded' } })
    await ensureAddress(azure, machine, quiet)
    expect(clock.now()).toBe(16_000)
  })

  test('fails with the code that its operation failed with', async () => {
    const at = `${base}/subscriptions/${subscription}/providers/Microsoft.Network/locations/w/operations/1`
    arm().put(address).query(true).reply(201, {}, { 'azure-asyncoperation': at })
    arm()
      .get(new URL(at).pathname)
      .query(true)
      .reply(200, { status: 'Failed', ...refused('PublicIPCountLimitReached') })
    await expect(ensureAddress(azure, machine, quiet)).rejects.toMatchObject({
      code: 'E_AZURE',
      message: expect.stringContaining('PublicIPCountLimitReached: because'),
    })
  })

  test.each([
    [429, 'TooManyRequests'],
    [503, 'ServiceUnavailable'],
    [409, 'AnotherOperationInProgress'],
    [400, 'NicReservedForAnotherVm'],
  ])('is put off by %i %s, and repeated when it says', async (status, code) => {
    arm().put(address).query(true).reply(status, refused(code), { 'retry-after': '30' })
    arm()
      .put(address)
      .query(true)
      .reply(200, { properties: { provisioningState: 'Succeeded' } })
    await ensureAddress(azure, machine, quiet)
    expect(clock.now()).toBe(30_000)
  })

  test('that is put off for too long says by what, and for how long', async () => {
    arm().put(address).query(true).times(99).reply(409, refused('AnotherOperationInProgress'))
    await expect(ensureAddress(azure, machine, quiet)).rejects.toMatchObject({
      code: 'E_AZURE_BUSY',
      message: expect.stringMatching(
        /publicIPAddresses\/tsmachine-.*AnotherOperationInProgress.* of at most 5m$/,
      ),
    })
    expect(clock.now()).toBeGreaterThan(180_000)
  })

  test('that meets a broken connection is repeated', async () => {
    arm()
      .put(address)
      .query(true)
      .replyWithError(Object.assign(new Error('gone'), { code: 'ECONNRESET' }))
    arm()
      .put(address)
      .query(true)
      .reply(200, { properties: { provisioningState: 'Succeeded' } })
    await ensureAddress(azure, machine, quiet)
    expect(nock.isDone()).toBe(true)
  })

  test('that is refused is not repeated, and says what to do', async () => {
    arm().put(address).query(true).reply(403, refused('AuthorizationFailed'))
    await expect(ensureAddress(azure, machine, quiet)).rejects.toMatchObject({
      code: 'E_AZURE',
      suggestions: [expect.stringContaining('Network Contributor')],
    })
  })

  test('ends with the signal’s reason', async () => {
    const abort = new AbortController()
    arm()
      .put(address)
      .query(true)
      .reply(() => {
        abort.abort(new Error('enough'))
        return [429, refused('TooManyRequests')]
      })
    await expect(ensureAddress(azure, machine, abort.signal)).rejects.toThrow('enough')
  })
})

describe('several at once', () => {
  const failing = (why: string) => () => Promise.reject(fail('E_AZURE_LEFT', { what: why, place: 'g' }))

  test('are all done, and all that failed is named', async () => {
    const done: string[] = []
    const works = [failing('a'), async () => done.push('c'), failing('b')]
    await expect(allOf(works)).rejects.toMatchObject({
      code: 'E_AZURE_SEVERAL',
      message: 'a is still in the resource group g; b is still in the resource group g',
    })
    expect(done).toEqual(['c'])
  })

  test('that fail alike fail once', async () => {
    await expect(allOf([failing('a'), failing('a')])).rejects.toMatchObject({ code: 'E_AZURE_LEFT' })
  })
})

describe('a removal', () => {
  const work = () =>
    remove(azure, 'the address', quiet, (options) =>
      azure.network.publicIPAddresses.delete('g', 'tsmachine-0123456789ab-ip', options),
    )

  test('is content with nothing there', async () => {
    arm().delete(address).query(true).reply(204)
    await work()
    arm().delete(address).query(true).times(2).reply(404, refused('ResourceGroupNotFound'))
    await work()
    expect(nock.isDone()).toBe(true)
  })

  test('is not content with a subscription that can’t be seen', async () => {
    arm().delete(address).query(true).reply(404, refused('SubscriptionNotFound'))
    await expect(work()).rejects.toMatchObject({ code: 'E_AZURE' })
  })
})
