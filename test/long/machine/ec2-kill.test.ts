import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/shared/clock.ts'
import { FakeEc2 } from '../../support/fake-ec2/fake-ec2.ts'
import { Life, type LifeOptions } from '../../support/fault-gate.ts'
import { BareHost } from '../../support/machine-bare-host.ts'
import { localSkipReason, TestStorage } from '../../support/machine-storage.ts'

const credentials = {
  AWS_ACCESS_KEY_ID: 'AKIATEST',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
}
const bin = join(import.meta.dirname, '../../../bin/tsmachine.js')

/** A cloud with real time, always at the same port, and the real commands. */
class Cloud {
  readonly fake: FakeEc2
  readonly storage: TestStorage
  readonly #port: number

  private constructor(fake: FakeEc2, storage: TestStorage, port: number) {
    this.fake = fake
    this.storage = storage
    this.#port = port
  }

  static async open(storage: TestStorage, address: string): Promise<Cloud> {
    const fake = new FakeEc2({ address, changeMs: 100, consistencyMs: 500, staleActions: true })
    return new Cloud(fake, storage, await freePort())
  }

  get flags(): string[] {
    const options = {
      endpoint: `http://127.0.0.1:${this.#port}`,
      'allow-from': '192.0.2.1',
      region: 'us-east-1',
      'consistency-seconds': 1,
    }
    return Object.entries(options).map(([key, value]) => `--ec2-${key}=${value}`)
  }

  /** Runs the command, and kills it with all of its children when it meets the fault. */
  async run(
    args: string[],
    options: LifeOptions = {},
  ): Promise<{ isKilled: boolean; code: number | null; text: string }> {
    const life = await Life.begin(this.fake, systemClock, { ...options, port: this.#port })
    const child = spawn(bin, args, {
      env: { ...process.env, ...credentials, ...this.storage.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk))
    void life.death.then(() => process.kill(-child.pid!, 'SIGKILL'))
    const code = await new Promise<number | null>((done) => child.on('close', done))
    const isKilled = life.isDead
    await life.end()
    return { isKilled, code, text }
  }

  async ok(args: string[]): Promise<string> {
    const { code, text } = await this.run(args)
    expect(`${code} ${code === 0 ? '' : text}`).toBe('0 ')
    return text
  }
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })
}

const workers = 2

describe('the real command, killed after each of its calls to the cloud in turn,', () => {
  const storages = Array.from({ length: workers }, () => new TestStorage())
  afterAll(() => Promise.all(storages.map((storage) => storage.release())))

  test('is taken back by rm, and nothing is left', { timeout: 600_000 }, async () => {
    let next = 0
    let kills = 0
    let isOver = false
    await Promise.all(
      storages.map(async (storage) => {
        while (!isOver) {
          const at = next++
          const cloud = await Cloud.open(storage, '127.0.0.1')
          const name = `k${at}`
          // Nobody listens there: the create that is not killed fails at SSH, and takes itself back.
          const create = ['create', '-d', 'ec2', ...cloud.flags, '--ec2-ssh-port=1', '--timeout=1s', name]
          const created = await cloud.run(create, { fault: 'killed after the call', at })
          if (created.isKilled) {
            kills++
            await cloud.ok(['rm', '-y', name])
          } else {
            isOver = true
            expect(created.text).toContain("the console's end")
          }
          expect(cloud.fake.census(), `killed after call ${at + 1}`).toEqual([])
          expect(storage.record(name)).toBeUndefined()
        }
      }),
    )
    console.log(`create was killed ${kills} times`)
    expect(kills).toBeGreaterThan(10)
  })

  test('when it is rm, goes on with the next rm, and nothing is left', { timeout: 600_000 }, async () => {
    let next = 0
    let kills = 0
    let isOver = false
    await Promise.all(
      storages.map(async (storage) => {
        while (!isOver) {
          const at = next++
          const cloud = await Cloud.open(storage, '127.0.0.1')
          const name = `r${at}`
          // Killed with all made: when SSH doesn't come, and the console is asked why.
          const asked = (call: { body: string }) => call.body.startsWith('Action=GetConsoleOutput&')
          const create = [
            'create',
            '-d',
            'amazonec2',
            ...cloud.flags,
            '--ec2-ssh-port=1',
            '--timeout=1s',
            name,
          ]
          const made = await cloud.run(create, { fault: 'killed after the call', at: asked })
          expect(made.isKilled).toBe(true)
          expect(cloud.fake.census()).toHaveLength(3)
          const { isKilled } = await cloud.run(['rm', '-y', name], { fault: 'killed after the call', at })
          if (isKilled) {
            kills++
            await cloud.ok(['rm', '-y', name])
          } else isOver = true
          expect(cloud.fake.census(), `killed after call ${at + 1}`).toEqual([])
          expect(storage.record(name)).toBeUndefined()
        }
      }),
    )
    console.log(`rm was killed ${kills} times`)
    expect(kills).toBeGreaterThan(6)
  })
})

const reason = await localSkipReason()

describe.skipIf(reason)('the real command on a real host', () => {
  const storage = new TestStorage()
  let host: BareHost
  let cloud: Cloud
  beforeAll(async () => {
    host = await BareHost.start(storage, 'bare')
    cloud = await Cloud.open(storage, host.address)
  })
  afterAll(async () => {
    await host?.release()
    await storage.release()
    expect(storage.leftovers()).toEqual([])
  })

  /** What cloud-init does on a real one: the host has the keys that the user data names. */
  const giveKeys = (name: string) => {
    const own = storage.store.paths.machine('bare/bare')
    const paths = storage.store.paths.machine(name)
    mkdirSync(paths.folder, { recursive: true })
    for (const key of ['userKey', 'hostKey'] as const) {
      copyFileSync(own[key], paths[key])
      copyFileSync(`${own[key]}.pub`, `${paths[key]}.pub`)
    }
  }

  for (const action of ['CreateSecurityGroup', 'RunInstances', 'AllocateAddress']) {
    test(`killed after ${action}, is completed by the same command, and then works`, {
      timeout: 240_000,
    }, async () => {
      const name = action.toLowerCase()
      giveKeys(name)
      const create = ['create', '-d', 'ec2', ...cloud.flags, '--ec2-ssh-user=root', '--ec2-elastic-ip', name]
      const at = (call: { body: string }) => call.body.startsWith(`Action=${action}&`)
      const killed = await cloud.run(create, { fault: 'killed after the call', at })
      expect(killed.isKilled).toBe(true)
      expect(await cloud.ok(create)).toContain(`Machine ${name} is ready.`)
      const { made } = storage.record(name)!
      const there = ['keyPair', 'group', 'instance', 'address'].map((key) => (made[key] as { id: string }).id)
      expect(cloud.fake.census().toSorted()).toEqual(there.toSorted())
      expect(await cloud.ok(['ls'])).toMatch(new RegExp(`${name} .*ec2 .*Running .*0.0.1-stand-in`))
      expect(await cloud.ok(['ssh', name, 'echo', 'hello'])).toBe('hello\n')
      await cloud.ok(['stop', name])
      expect(await cloud.ok(['status', name])).toBe('Stopped\n')
      await cloud.ok(['start', name])
      await cloud.ok(['rm', '-y', name])
      expect(cloud.fake.census()).toEqual([])
    })
  }
})
