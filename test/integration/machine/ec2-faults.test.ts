import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pathsOf } from '../../../src/machine/paths.ts'
import { Store } from '../../../src/machine/store/store.ts'
import { ec2Subject, useFakeCredentials } from '../../support/ec2-subject.ts'
import { runMatrix } from '../../support/fault-matrix.ts'

let folder = ''
beforeAll(() => {
  useFakeCredentials()
  folder = mkdtempSync(join(tmpdir(), 'tsmachine-ec2-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const hidden = { consistencyMs: 60_000, staleActions: true, interfaceLagMs: 20_000 }
const worlds = {
  'a cloud that shows all at once': ec2Subject({}),
  'a cloud that hides what is new for a minute': ec2Subject(hidden),
  'a cloud that ignores client tokens, and hides what is new': ec2Subject({ ...hidden, ignoresTokens: true }),
  'a cloud that hides what is new, with an elastic address': ec2Subject(hidden, { 'elastic-ip': true }),
}

describe('no fault at any call of create, start, stop and rm leaves anything', () => {
  for (const [name, subject] of Object.entries(worlds)) {
    test(`in ${name}`, { timeout: 600_000 }, async () => {
      const store = new Store(pathsOf(join(folder, name.replaceAll(/\W/g, ''))))
      const { calls, combinations, failures } = await runMatrix(subject, { store })
      console.log(`${name}: ${combinations} combinations of ${JSON.stringify(calls)} calls`)
      expect(failures).toEqual([])
    })
  }
})
