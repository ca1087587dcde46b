/**
 * The real command, killed by SIGKILL at each of its calls to Azure, before and after the call takes effect; then the
 * real `rm`. The matrix does the same to the driver alone, and more; this one proves that nothing of it rests on a
 * process that ends in order.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/shared/clock.ts'
import { FakeArm, subscriptionOfTests } from '../../support/fake-arm/arm.ts'
import { TestStorage } from '../../support/machine-storage.ts'

const storage = new TestStorage()
afterAll(() => storage.release())

/** A service that answers in milliseconds, and kills its client at one call. */
class Trap {
  readonly arm = new FakeArm(systemClock, { operationMs: 5, retryAfterS: 0, nicReservedMs: 0, listLagMs: 0 })
  calls = 0
  at = Number.POSITIVE_INFINITY
  when: 'before' | 'after' = 'before'
  victim?: ChildProcess
  readonly #server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = '', url = '', headers } = request
    const body = Buffer.concat(chunks).toString('utf8')
    const isHit = this.calls++ === this.at
    if (isHit && this.when === 'before') return void this.victim?.kill('SIGKILL')
    const answer = await this.arm.handle({ method, url, headers: headers as Record<string, string>, body })
    if (isHit) return void this.victim?.kill('SIGKILL')
    response.writeHead(answer.status, answer.headers).end(answer.body)
  })

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done))
  }

  get flags(): string[] {
    const url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    const options = { 'subscription-id': subscriptionOfTests, endpoint: url, 'allow-from': '198.51.100.7' }
    return Object.entries(options).flatMap(([name, value]) => [`--azure-${name}`, value])
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

/** @returns the exit code, or null when it was killed */
async function run(trap: Trap, args: string[]): Promise<number | null> {
  const bin = join(import.meta.dirname, '../../../bin/tsmachine.js')
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, ...storage.env },
    stdio: 'ignore',
  })
  trap.victim = child
  return new Promise((done) => child.on('close', done))
}

test('whatever the call at which it is killed, rm leaves nothing', { timeout: 1_200_000 }, async () => {
  const create = (trap: Trap) => run(trap, ['create', '-d', 'azure', ...trap.flags, '--timeout', '1s', 'k1'])
  const remove = (trap: Trap) => run(trap, ['rm', '-y', 'k1'])
  let kills = 0
  for (const when of ['before', 'after'] as const) {
    for (let at = 0; ; at++) {
      const trap = new Trap()
      await trap.listen()
      Object.assign(trap, { at, when })
      const code = await create(trap)
      trap.at = Number.POSITIVE_INFINITY
      const wasKilled = code === null
      if (wasKilled) {
        kills++
        expect(await remove(trap), `rm after the kill ${when} call ${at + 1}`).toBe(0)
      }
      // One that was not killed could not reach the host, and has taken all back by itself.
      expect(trap.arm.census(), `left after the kill ${when} call ${at + 1}`).toEqual([])
      expect(storage.record('k1')).toBeUndefined()
      trap.close()
      if (!wasKilled) break
    }
  }
  console.info(`killed ${kills} times`)
  expect(kills).toBeGreaterThan(60)
})
