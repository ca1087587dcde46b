import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { makeAzureDriver } from '../../../src/machine/drivers/azure/driver.ts'
import { azureMachine } from '../../../src/machine/drivers/azure/settings.ts'
import { pathsOf } from '../../../src/machine/paths.ts'
import type { MachineRecord } from '../../../src/machine/record.ts'
import { Store } from '../../../src/machine/store/store.ts'
import { FakeArm, subscriptionOfTests } from '../../support/fake-arm/arm.ts'
import { faults } from '../../support/fault-gate.ts'
import { commands, type MatrixSubject, runMatrix } from '../../support/fault-matrix.ts'

const folder = mkdtempSync(join(tmpdir(), 'tsmachine-azure-'))
const store = new Store(pathsOf(folder))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const options = {
  'subscription-id': subscriptionOfTests,
  location: 'westus2',
  size: 'Standard_B2als_v2',
  'allow-from': ['198.51.100.7'],
}

const subject: MatrixSubject = {
  driver: 'azure',
  options,
  cloud: (clock) => new FakeArm(clock),
  load: (life, requestMs) =>
    makeAzureDriver({
      clock: life.clock,
      limits: { requestMs },
      random: () => 0.5,
      endpoint: () => life.url,
    }),
  recorded: idsOf,
}

function idsOf(record: MachineRecord): string[] {
  const { group, network, names } = azureMachine(record)
  const at = `/subscriptions/${subscriptionOfTests}/resourceGroups/${group}`
  return [
    at,
    `${at}/providers/Microsoft.Network/virtualNetworks/${network.name}`,
    `${at}/providers/Microsoft.Network/publicIPAddresses/${names.address}`,
    `${at}/providers/Microsoft.Network/networkSecurityGroups/${names.firewall}`,
    `${at}/providers/Microsoft.Network/networkInterfaces/${names.nic}`,
    `${at}/providers/Microsoft.Compute/disks/${names.disk}`,
    `${at}/providers/Microsoft.Compute/virtualMachines/${names.vm}`,
  ]
}

describe('every fault at every call', () => {
  for (const command of commands) {
    test(`of ${command} ends with what was wanted, or with nothing`, { timeout: 600_000 }, async () => {
      const { combinations, calls, failures } = await runMatrix(subject, {
        store,
        commands: [command],
        faults,
      })
      console.info(`azure ${command}: ${calls[command]} calls, ${combinations} combinations`)
      expect(failures).toEqual([])
    })
  }
})
