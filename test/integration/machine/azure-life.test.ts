import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { makeAzureDriver } from '../../../src/machine/drivers/azure/driver.ts'
import { azureMachine } from '../../../src/machine/drivers/azure/settings.ts'
import { pathsOf } from '../../../src/machine/paths.ts'
import type { DriverOptions } from '../../../src/machine/record.ts'
import { Store } from '../../../src/machine/store/store.ts'
import type { Clock } from '../../../src/shared/clock.ts'
import { AzureMachines, azureTestOptions, fastClock, recordedIds } from '../../support/azure-machines.ts'
import { FakeArm } from '../../support/fake-arm/arm.ts'
import { clientSecret, serveArm } from '../../support/fake-arm/server.ts'
import type { Behaviour } from '../../support/fake-arm/state.ts'
import { JumpClock } from '../../support/fault-gate.ts'

const folder = mkdtempSync(join(tmpdir(), 'tsmachine-azure-'))
const store = new Store(pathsOf(folder))
let machines: AzureMachines | undefined

afterEach(() => machines?.end())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function begin(behaviour: Partial<Behaviour> = {}, clock?: Clock): Promise<AzureMachines> {
  machines = await AzureMachines.begin(store, behaviour, clock)
  return machines
}

describe('a machine in Azure', () => {
  test('is all that its record says, every part of it tagged', async () => {
    const own = await begin()
    const record = await own.create(own.record('m1'))
    expect(own.arm.census().toSorted()).toEqual(recordedIds(record).toSorted())
    for (const tags of Object.values(own.arm.tags())) expect(tags['tsmachine:owner']).toBe('tester@fake')
    expect(record.ssh).toMatchObject({
      host: expect.stringMatching(/^192\.0\.2\./),
      port: 22,
      user: 'docker-user',
    })
    expect(record.ssh?.hostKeys).toEqual([expect.stringMatching(/^ssh-ed25519 /)])
    expect(await own.remove(record)).toEqual([])
    expect(own.arm.census()).toEqual([])
  })

  test('keeps its address while it is stopped, and gives its capacity back', async () => {
    const own = await begin()
    const record = await own.create(own.record('m1'))
    const host = record.ssh?.host
    const { observe } = own.driver()
    expect(await observe(own.context(record))).toBe('Running')
    for (const action of ['stop', 'start', 'kill'] as const) {
      await own.power(record, action)
      const vm = own.arm.state.ofType('Microsoft.Compute/virtualMachines')[0]
      expect(vm?.properties.power).toBe(action === 'start' ? 'running' : 'deallocated')
      expect(await observe(own.context(record))).toBe(action === 'start' ? 'Running' : 'Stopped')
    }
    await own.power(record, 'restart')
    expect(await observe(own.context(record))).toBe('Running')
    expect(record.ssh?.host).toBe(host)
  })

  test('that the portal removed is an error, and removed without one', async () => {
    const own = await begin()
    const record = await own.create(own.record('m1'))
    own.arm.state.drop(own.arm.state.ofType('Microsoft.Compute/virtualMachines')[0]!)
    own.arm.state.ofType('Microsoft.Network/networkInterfaces')[0]!.properties.virtualMachine = undefined
    expect(await own.driver().observe(own.context(record))).toBe('Error')
    expect(await own.remove(record)).toEqual([])
    expect(own.arm.census()).toEqual([])
  })

  test('that SSH never reaches fails with the end of its console', async () => {
    const own = await begin()
    own.ssh = () => Promise.reject(new Error('no answer'))
    await expect(own.create(own.record('m1'))).rejects.toMatchObject({
      code: 'E_AZURE_UNREACHED',
      message: expect.stringMatching(
        /^no answer; the console's end: OK booted\n\/console\/tsmachine-.* login:$/,
      ),
    })
  })

  test('can do without a public address', async () => {
    const own = await begin()
    const record = await own.create(own.record('m1', { 'no-public-ip': true }))
    expect(record.ssh?.host).toMatch(/^10\./)
    expect(own.arm.state.ofType('Microsoft.Network/publicIPAddresses')).toEqual([])
  })

  test('goes by its DNS name where it has a label', async () => {
    const own = await begin()
    const record = await own.create(own.record('m1', { dns: 'web' }))
    expect(record.engine?.host).toBe('web.westus2.cloudapp.test')
  })
})

describe('capacity', () => {
  const spot = { spot: true, 'availability-zone': ['1', '2'] }

  for (const refusesAtOnce of [true, false]) {
    const when = refusesAtOnce ? 'in the answer' : 'by the operation'
    test(`that is not spare is regular: refused ${when}`, async () => {
      const own = await begin({
        refusesAtOnce,
        capacity: (vm) =>
          vm.spot ? 'SkuNotAvailable' : vm.zone === '1' ? 'ZonalAllocationFailed' : undefined,
      })
      const record = await own.create(own.record('m1', spot))
      expect(record.made.attempt).toEqual({ spot: false, zone: '2' })
      expect(own.arm.census().toSorted()).toEqual(recordedIds(record).toSorted())
      expect(await own.remove(record)).toEqual([])
      expect(own.arm.census()).toEqual([])
    })
  }

  test('that is nowhere is an error with all that was tried, and leaves nothing', async () => {
    const own = await begin({ capacity: () => 'SkuNotAvailable' })
    const record = own.record('m1', spot)
    await expect(own.create(record)).rejects.toMatchObject({
      code: 'E_AZURE_CAPACITY',
      message: expect.stringMatching(
        /a spot VM in zone 1: SkuNotAvailable; .*a regular VM in zone 2: SkuNotAvailable/,
      ),
    })
    expect(await own.remove(record)).toEqual([])
    expect(own.arm.census()).toEqual([])
  })

  test('that is not spare fails where only that is wanted', async () => {
    const own = await begin({ capacity: (vm) => (vm.spot ? 'SkuNotAvailable' : undefined) })
    await expect(own.create(own.record('m1', { ...spot, 'spot-only': true }))).rejects.toMatchObject({
      code: 'E_AZURE_CAPACITY',
    })
  })

  test.each(['Deallocate', 'Delete'])(
    'that is taken away (%s) leaves a machine that can be removed',
    async (policy) => {
      const own = await begin()
      const record = await own.create(own.record('m1', { spot: true, 'spot-eviction-policy': policy }))
      own.arm.evict(azureMachine(record).names.vm)
      const state = await own.driver().observe(own.context(record))
      expect(state).toBe(policy === 'Delete' ? 'Error' : 'Stopped')
      if (policy === 'Deallocate') await own.power(record, 'start')
      expect(await own.remove(record)).toEqual([])
      expect(own.arm.census()).toEqual([])
    },
  )
})

describe('what machines share', () => {
  test('goes with the last of them', async () => {
    const own = await begin()
    const records = await Promise.all(['a', 'b', 'c'].map((name) => own.create(own.record(name))))
    const wanted = new Set(records.flatMap(recordedIds))
    expect(new Set(own.arm.census())).toEqual(wanted)
    expect(await own.remove(records[0]!)).toEqual([])
    expect(own.progress.join()).toMatch(/kept: the network .* is in use by other machines/)
    expect(new Set(own.arm.census())).toEqual(new Set(records.slice(1).flatMap(recordedIds)))
    const left = await Promise.all(records.slice(1).map((record) => own.remove(record)))
    expect(left).toEqual([[], []])
    expect(own.arm.census()).toEqual([])
  })

  test('is made again where it goes from under a machine that is being made', async () => {
    const own = await begin()
    for (let round = 0; round < 4; round++) {
      const old = await own.create(own.record(`old${round}`))
      const young = own.record(`young${round}`)
      const [left] = await Promise.all([own.remove(old), own.create(young)])
      expect(left).toEqual([])
      expect(own.arm.census().toSorted()).toEqual(recordedIds(young).toSorted())
      expect(await own.remove(young)).toEqual([])
      expect(own.arm.census()).toEqual([])
    }
  })

  test('is looked at again before a removal that was put off', async () => {
    const own = await begin()
    const record = await own.create(own.record('m1'))
    const { group } = azureMachine(record)
    const handle = own.arm.handle.bind(own.arm)
    own.arm.handle = async (call) => {
      if (call.method !== 'DELETE' || !call.url.toLowerCase().includes(`/resourcegroups/${group}?`))
        return handle(call)
      // Meanwhile, on another laptop.
      own.arm.seed(group, 'Microsoft.Compute/virtualMachines', 'young')
      return { status: 503, body: '' }
    }
    expect(await own.remove(record)).toEqual([])
    expect(own.progress.join()).toMatch(/kept: the resource group .* is in use by VM young/)
  })

  test('stays where somebody put something of his own into it', async () => {
    const own = await begin({ listLagMs: 0 })
    const record = await own.create(own.record('m1'))
    const { group } = azureMachine(record)
    const foreign = own.arm.seed(group, 'Microsoft.Storage/storageAccounts', 'photos')
    expect(await own.remove(record)).toEqual([])
    expect(own.progress.join()).toMatch(/kept: the resource group .* is in use by Microsoft.Storage.* photos/)
    expect(own.arm.state.find(foreign)).toBeDefined()
  })
})

describe('what is somebody else’s', () => {
  test('is used, and neither edited nor removed', async () => {
    const own = await begin()
    own.arm.seedGroup('corp')
    own.arm.seedGroup('corp-net')
    const subnets = [{ name: 'apps', properties: { addressPrefix: '10.1.0.0/16' } }]
    const vnet = own.arm.seed('corp-net', 'Microsoft.Network/virtualNetworks', 'backbone', { subnets })
    const nsg = own.arm.seed('corp', 'Microsoft.Network/networkSecurityGroups', 'rules', {
      securityRules: [],
    })
    const seen = () =>
      JSON.stringify([own.arm.state.find(vnet), own.arm.state.find(nsg), own.arm.state.groups.get('corp')])
    const before = seen()
    const record = await own.create(
      own.record('m1', { 'resource-group': 'corp', vnet: 'corp-net:backbone', subnet: 'apps', nsg: 'rules' }),
    )
    expect(own.arm.census()).toHaveLength(4)
    expect(await own.remove(record)).toEqual([])
    expect(own.arm.census()).toEqual([])
    expect(seen()).toBe(before)
  })

  test('is not given a subnet', async () => {
    const own = await begin()
    own.arm.seedGroup('corp')
    own.arm.seed('corp', 'Microsoft.Network/virtualNetworks', 'backbone', { subnets: [] })
    const record = own.record('m1', { 'resource-group': 'corp', vnet: 'backbone', subnet: 'apps' })
    await expect(own.create(record)).rejects.toThrow(
      /--azure-subnet: the network backbone has no subnet apps/,
    )
    expect(await own.remove(record)).toEqual([])
    expect(own.arm.census()).toEqual([])
  })
})

describe('a service at its worst', () => {
  const worst: [string, Partial<Behaviour>][] = [
    ['throttles every third request', { throttleEvery: 3 }],
    ['fails every fourth request', { failEvery: 4 }],
    ['does both', { throttleEvery: 5, failEvery: 3 }],
    ['tells of its operations by Location only', { locationOnly: true }],
    ['answers at once', { operationMs: 0 }],
    ['takes two minutes for each operation', { operationMs: 120_000, listLagMs: 600_000 }],
    ['was never used in this subscription', { unregistered: ['Microsoft.Compute', 'Microsoft.Network'] }],
  ]
  test.each(worst)('that %s gets there, and leaves nothing', async (_, behaviour) => {
    const own = await begin(behaviour)
    for (const seed of [1, 2, 3]) {
      const records = await Promise.all([1, 2].map((n) => own.create(own.record(`m${n}`), seed * 10 + n)))
      expect(new Set(own.arm.census())).toEqual(new Set(records.flatMap(recordedIds)))
      const left = await Promise.all(records.map((record) => own.remove(record, seed)))
      expect(left).toEqual([[], []])
      expect(own.arm.census()).toEqual([])
    }
  })
})

describe('many machines', () => {
  test('are made at once where only two calls a second are taken', { timeout: 120_000 }, async () => {
    const own = await begin({ perSecond: 2 }, fastClock(40))
    const driver = own.driver()
    const names = Array.from({ length: 20 }, (_, i) => `m${i}`)
    const records = await Promise.all(names.map((name) => own.create(own.record(name), driver)))
    expect(new Set(own.arm.census())).toEqual(new Set(records.flatMap(recordedIds)))
  })

  test('are found by tag, and looked at in one call', async () => {
    const own = await begin({ listLagMs: 0 })
    const records = await Promise.all(Array.from({ length: 8 }, (_, i) => own.create(own.record(`m${i}`))))
    await own.power(records[3]!, 'stop')
    const { findTagged, observeMany } = own.driver()
    const found = await findTagged!(azureTestOptions, 'tester@fake')
    expect(new Set(found.map(({ id }) => id))).toEqual(new Set(own.arm.census()))
    const vm = found.find(({ kind }) => kind === 'Microsoft.Compute/virtualMachines')
    expect(vm).toMatchObject({
      created: expect.stringMatching(/^2026-/),
      tags: { 'tsmachine:owner': 'tester@fake' },
    })
    expect(await findTagged!(azureTestOptions, 'somebody@else')).toEqual([])
    own.arm.log.length = 0
    const all = [...records, own.record('gone')]
    const states = await observeMany!(all.map((record) => own.context(record)))
    expect(own.arm.log).toHaveLength(1)
    expect(records.map(({ id }) => states.get(id))).toEqual([
      ...Array.from({ length: 3 }, () => 'Running'),
      'Stopped',
      ...Array.from({ length: 4 }, () => 'Running'),
    ])
    expect(states.get(own.record('gone').id)).toBe('Error')
  })

  test('that nobody’s record knows are removed by the id in their tags', async () => {
    const own = await begin({ listLagMs: 0 })
    own.arm.seedGroup('corp', 'northeurope')
    const lost = await Promise.all([
      own.create(own.record('m1')),
      own.create(own.record('m2', { 'resource-group': 'corp', location: 'northeurope' })),
    ])
    const { findTagged, steps } = own.driver()
    const found = await findTagged!(azureTestOptions, 'tester@fake')
    const ids = new Set(found.flatMap(({ machineId }) => machineId ?? []))
    expect(ids).toEqual(new Set(lost.map(({ id }) => id)))
    for (const id of ids) {
      const journal = steps.map((step) => ({ step: step.id, state: 'done' as const, at: '' }))
      expect(await own.remove({ ...own.record('found'), id, journal })).toEqual([])
    }
    expect(own.arm.census()).toEqual([])
  })
})

describe('signing in', () => {
  const tenant = '00000000-0000-4000-8000-00000000000a'
  const ways: [string, DriverOptions, NodeJS.ProcessEnv][] = [
    ['the environment', {}, { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: tenant }],
    ['flags, with the secret from the environment', { 'tenant-id': tenant, 'client-id': tenant }, {}],
  ]
  test.each(ways)('goes by %s, over TLS, and a wrong secret is told as such', async (_, flags, more) => {
    const arm = new FakeArm(new JumpClock())
    const server = await serveArm(arm)
    const before = { ...process.env }
    try {
      Object.assign(process.env, more, {
        AZURE_AUTHORITY_HOST: server.url,
        AZURE_CLIENT_SECRET: clientSecret,
      })
      const options = { ...azureTestOptions, ...flags }
      const find = () =>
        makeAzureDriver({ ca: server.ca, endpoint: () => server.url }).findTagged!(options, 'tester@fake')
      expect(await find()).toEqual([])
      expect(new Set(server.tokens)).toEqual(new Set(['Bearer a-token']))
      process.env.AZURE_CLIENT_SECRET = 'wrong'
      await expect(find()).rejects.toMatchObject({ code: 'E_AZURE_SIGN_IN' })
    } finally {
      process.env = before
      await server.close()
    }
  })
})
