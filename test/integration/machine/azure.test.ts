import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { makeAzureDriver } from '../../../src/machine/drivers/azure/driver.ts'
import { pathsOf } from '../../../src/machine/paths.ts'
import { Store } from '../../../src/machine/store/store.ts'
import { azureTestOptions, recordedIds } from '../../support/azure-machines.ts'
import { FakeArm } from '../../support/fake-arm/arm.ts'
import { faults } from '../../support/fault-gate.ts'
import { commands, type MatrixSubject, runMatrix } from '../../support/fault-matrix.ts'

const folder = mkdtempSync(join(tmpdir(), 'tsmachine-azure-'))
const store = new Store(pathsOf(folder))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const subject: MatrixSubject = {
  driver: 'azure',
  options: azureTestOptions,
  cloud: (clock) => new FakeArm(clock),
  load: (life, requestMs) =>
    makeAzureDriver({
      clock: life.clock,
      limits: { requestMs },
      random: () => 0.5,
      endpoint: () => life.url,
    }),
  recorded: recordedIds,
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
