import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import {
  dropPorts,
  isPortFree,
  type PortContext,
  takePorts,
} from '../../../../../src/machine/drivers/vm/ports.ts'
import type { MachineRecord } from '../../../../../src/machine/record.ts'

const storage = mkdtempSync(join(tmpdir(), 'tsmachine-ports-'))
afterAll(() => rmSync(storage, { recursive: true }))
let queue: Promise<unknown> = Promise.resolve()
const contextOf = (id: string): PortContext => ({
  record: { id } as MachineRecord,
  storage,
  withStorage: <T>(work: () => Promise<T>) => {
    const result = queue.then(work)
    queue = result.catch(() => {})
    return result
  },
})

test('each machine of a storage has ports of its own, and keeps them', async () => {
  const ids = ['a', 'b', 'c', 'd']
  const leases = await Promise.all(ids.map((id) => takePorts(contextOf(id), ['ssh', 'engine'])))
  const ports = leases.flatMap((lease) => Object.values(lease))
  expect(new Set(ports).size).toBe(8)
  expect(await takePorts(contextOf('a'), ['ssh', 'engine'])).toEqual(leases[0])
  await dropPorts(contextOf('b'))
  await dropPorts(contextOf('b'))
  expect(await takePorts(contextOf('a'), ['ssh', 'engine'])).toEqual(leases[0])
})

test('a port that somebody has taken is replaced, and the other kept', async () => {
  const before = await takePorts(contextOf('x'), ['ssh', 'engine'])
  const server = createServer()
  await new Promise<void>((done) => server.listen(before.ssh, '127.0.0.1', done))
  try {
    expect(await isPortFree(before.ssh!)).toBe(false)
    const after = await takePorts(contextOf('x'), ['ssh', 'engine'])
    expect(after.ssh).not.toBe(before.ssh)
    expect(after.engine).toBe(before.engine)
  } finally {
    server.close()
  }
})
