import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Container } from '../../../../src/engine/containers/container.ts'
import type { ContainerContext } from '../../../../src/engine/containers/context.ts'
import { fillHostConfig } from '../../../../src/engine/containers/create.ts'
import { statusText } from '../../../../src/engine/containers/inspect.ts'
import { listContainers } from '../../../../src/engine/containers/list.ts'
import { type ContainerRecord, RecordFiles } from '../../../../src/engine/containers/record.ts'
import { shouldRestart, shouldStartAtBoot } from '../../../../src/engine/containers/restart-policy.ts'
import { ContainerTable } from '../../../../src/engine/containers/table.ts'
import { type ContainerState, type RestartPolicy, zeroTime } from '../../../../src/engine/containers/types.ts'
import { waitForContainer } from '../../../../src/engine/containers/wait.ts'

let folder: string
let table: ContainerTable
let count = 0
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmachine-containers-'))
  table = new ContainerTable(new RecordFiles(folder), { error: () => undefined })
  count = 0
})
afterEach(() => rmSync(folder, { recursive: true }))

function record(
  name: string,
  state: Partial<ContainerState> = {},
  policy?: Partial<RestartPolicy>,
): ContainerRecord {
  count++
  return {
    version: 1,
    id: count.toString(16).padStart(4, 'a').padEnd(64, '0'),
    name,
    created: `2026-01-01T00:00:0${count}.000000000Z`,
    imageId: 'sha256:1234',
    layers: [],
    config: {
      Image: 'busybox',
      Labels: { name },
      Cmd: ['sh'],
      ExposedPorts: {},
    } as unknown as ContainerRecord['config'],
    hostConfig: fillHostConfig({
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0, ...policy },
      PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
    }),
    endpoints: {},
    mounts: [],
    state: {
      status: 'created',
      pid: 0,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: zeroTime,
      finishedAt: zeroTime,
      ...state,
    },
    restartCount: 0,
    stoppedByUser: false,
  }
}
const ran = { startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:01:00Z' }

describe('the table of containers', () => {
  it('finds by id, by name with a slash or without, and by what an id begins with, unless two do', () => {
    const one = table.add(record('one'))
    const two = table.add(record('two'))
    for (const ref of [one.id, 'one', '/one', one.id.slice(0, 4)]) expect(table.get(ref)).toBe(one)
    expect(table.get('two')).toBe(two)
    expect(() => table.get('aaa')).toThrow(
      expect.objectContaining({ code: 'E_AMBIGUOUS_CONTAINER', http: 400 }),
    )
    expect(() => table.get('three')).toThrow(
      expect.objectContaining({ code: 'E_NO_SUCH_CONTAINER', http: 404 }),
    )
    table.delete(one)
    expect(table.find('one')).toBeUndefined()
  })

  it('gives a name to one create at a time', () => {
    table.add(record('taken'))
    expect(() => table.claim('taken')).toThrow(expect.objectContaining({ http: 409 }))
    const claim = table.claim('free')
    expect(() => table.claim('free')).toThrow(/Conflict/)
    claim.release()
    table.claim('free').release()
    for (const bad of ['', 'x', '-x', 'a b', '../x', 'ä1']) {
      expect(() => table.claim(bad)).toThrow(expect.objectContaining({ code: 'E_CONTAINER_NAME', http: 400 }))
    }
  })

  it('is read back from its files, and says which folders hold none, or one that can not be read', () => {
    const files = new RecordFiles(folder)
    const one = table.add(record('one'))
    for (const name of ['empty', 'broken', one.id]) mkdirSync(join(folder, name))
    const empty: string[] = []
    const broken: string[] = []
    files.save(one.record)
    writeFileSync(join(folder, 'broken', 'container.json'), '{"version":')
    const loaded = files.load(
      (path) => empty.push(path),
      (path) => broken.push(path),
    )
    expect(loaded.map(({ name }) => name)).toEqual(['one'])
    expect([empty, broken]).toEqual([[join(folder, 'empty')], [join(folder, 'broken')]])
    files.remove(one.id)
    expect(readdirSync(folder).sort()).toEqual(['broken', 'empty'])
  })
})

describe('a list of containers', () => {
  const list = (filters: Record<string, string[]>, all = true, limit?: number) => {
    const images = {
      resolve: (ref: string) => {
        if (ref === 'busybox:latest') return { id: 'sha256:1234' }
        throw Object.assign(new Error('none'), { http: 404 })
      },
    }
    return listContainers({ table, images } as unknown as ContainerContext, { all, filters, limit }).map(
      ({ record: { name } }) => name,
    )
  }
  beforeEach(() => {
    table.add(record('made'))
    table.add(record('runs', { status: 'running', ...ran }))
    table.add(record('done', { status: 'exited', exitCode: 3, ...ran }))
  })

  it('has what runs, or all, or the newest', () => {
    expect([list({}, false), list({}), list({}, false, 1)]).toEqual([
      ['runs'],
      ['done', 'runs', 'made'],
      ['done'],
    ])
  })

  it.each<[Record<string, string[]>, string[]]>([
    [{ status: ['exited', 'created'] }, ['done', 'made']],
    [{ exited: ['3'] }, ['done']],
    [{ exited: ['0'] }, []],
    [{ name: ['^/r'] }, ['runs']],
    [{ name: ['n'] }, ['done', 'runs']],
    [{ label: ['name=done'] }, ['done']],
    [{ label: ['name', 'other'] }, []],
    [{ ancestor: ['busybox:latest'] }, ['done', 'runs', 'made']],
    [{ ancestor: ['alpine'] }, []],
    [{ before: ['done'] }, ['runs', 'made']],
    [{ since: ['made'], status: ['running'] }, ['runs']],
    [{ publish: ['8000-8100'] }, ['done', 'runs', 'made']],
    [{ publish: ['8080/udp'] }, []],
    [{ health: ['none'] }, ['done', 'runs', 'made']],
  ])('filtered by %j has %j', (filters, names) => expect(list(filters)).toEqual(names))

  it('refuses filters that there are not', () => {
    for (const filters of [{ colour: ['red'] }, { status: ['asleep'] }, { name: ['('] }]) {
      expect(() => list(filters as unknown as Record<string, string[]>)).toThrow(
        expect.objectContaining({ http: 400 }),
      )
    }
  })
})

describe('a restart policy', () => {
  const after = (policy: Partial<RestartPolicy>, change: Partial<ContainerRecord> = {}, exitCode = 1) => {
    const one = { ...record('x', { status: 'exited', exitCode, ...ran }, policy), ...change }
    return [shouldRestart(one, true), shouldStartAtBoot(one)]
  }

  it.each<[Partial<RestartPolicy>, Partial<ContainerRecord>, number, boolean, boolean]>([
    [{ Name: 'no' }, {}, 1, false, false],
    [{ Name: 'always' }, {}, 0, true, true],
    [{ Name: 'always' }, { stoppedByUser: true }, 0, false, true],
    [{ Name: 'unless-stopped' }, {}, 0, true, true],
    [{ Name: 'unless-stopped' }, { stoppedByUser: true }, 1, false, false],
    [{ Name: 'on-failure' }, {}, 0, false, false],
    [{ Name: 'on-failure' }, {}, 1, true, true],
    [{ Name: 'on-failure', MaximumRetryCount: 2 }, { restartCount: 1 }, 1, true, true],
    [{ Name: 'on-failure', MaximumRetryCount: 2 }, { restartCount: 2 }, 1, false, true],
  ])('%j with %j and exit code %i', (policy, change, exitCode, restarts, startsAtBoot) => {
    expect(after(policy, change, exitCode)).toEqual([restarts, startsAtBoot])
  })

  it('brings nothing back while the daemon goes down, and nothing that was never started', () => {
    expect(shouldRestart(record('x', { status: 'exited', ...ran }, { Name: 'always' }), false)).toBe(false)
    expect(shouldStartAtBoot(record('x', {}, { Name: 'always' }))).toBe(false)
  })
})

describe('a wait', () => {
  const wait = (container: Container, condition: string, signal = new AbortController().signal) => {
    const done = vi.fn()
    void waitForContainer(container, condition, signal).then(done)
    return done
  }
  const tick = () => new Promise((resolve) => setImmediate(resolve))

  it('for one that does not run is over at once, for its next exit is not', async () => {
    const container = table.add(record('done', { status: 'exited', exitCode: 3, ...ran }))
    const [notRunning, next, removed] = ['', 'next-exit', 'removed'].map((condition) =>
      wait(container, condition),
    )
    await tick()
    expect(notRunning).toHaveBeenCalledWith(3)
    expect([next, removed].map((done) => done!.mock.calls)).toEqual([[], []])
    container.signals.emit('exit', 5)
    await tick()
    expect([next!.mock.calls, removed!.mock.calls]).toEqual([[[5]], []])
    container.signals.emit('removed', 5)
    await tick()
    expect(removed).toHaveBeenCalledWith(5)
  })

  it('ends with its client and leaves nobody listening', async () => {
    const container = table.add(record('runs', { status: 'running', ...ran }))
    const gone = new AbortController()
    wait(container, 'not-running', gone.signal)
    gone.abort()
    await tick()
    expect([container.signals.listenerCount('exit'), container.signals.listenerCount('removed')]).toEqual([
      0, 0,
    ])
    expect(() => waitForContainer(container, 'never', gone.signal)).toThrow(/condition/)
  })
})

describe('what is done with one container', () => {
  it('is done one after the other, also after a failure', async () => {
    const container = table.add(record('x'))
    const order: string[] = []
    const slow = container.exclusively(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      order.push('first')
      throw new Error('no')
    })
    const next = container.exclusively(async () => order.push('second'))
    await expect(slow).rejects.toThrow('no')
    await next
    expect(order).toEqual(['first', 'second'])
  })
})

describe('the status in docker ps', () => {
  const nowMs = Date.parse('2026-01-01T03:00:00Z')
  it.each<[Partial<ContainerState>, string]>([
    [{}, 'Created'],
    [{ status: 'running', ...ran }, 'Up 3 hours'],
    [
      { status: 'running', ...ran, health: { Status: 'starting', FailingStreak: 0, Log: [] } },
      'Up 3 hours (health: starting)',
    ],
    [
      { status: 'running', ...ran, health: { Status: 'healthy', FailingStreak: 0, Log: [] } },
      'Up 3 hours (healthy)',
    ],
    [{ status: 'paused', ...ran }, 'Up 3 hours (Paused)'],
    [{ status: 'exited', exitCode: 137, ...ran }, 'Exited (137) 3 hours ago'],
    [{ status: 'restarting', exitCode: 1, ...ran }, 'Restarting (1) 3 hours ago'],
  ])('of %j is %s', (state, words) => {
    expect(statusText(table.add(record('x', state)), nowMs)).toBe(words)
  })
})
