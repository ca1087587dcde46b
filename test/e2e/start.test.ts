import { execFile } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../../src/shared/deadline.ts'
import { type Census, compareCensus, takeCensus } from '../support/census.ts'
import { ask, Flow, type Host, hosts } from '../support/flow.ts'
import { localSkipReason } from '../support/machine-storage.ts'

const reason = await localSkipReason()
const root = join(import.meta.dirname, '../..')

describe.skipIf(reason)('npm start', () => {
  const flow = new Flow()
  let before: Census
  let output = ''

  const start = async () => {
    const env = { ...process.env, ...flow.storage.env }
    const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'scripts/start.ts')], { env })
    return stdout
  }

  beforeAll(async () => {
    before = takeCensus()
    output = await start()
  })
  afterAll(async () => {
    await flow.release()
    expect(await settled(before)).toEqual([])
  })

  test('makes three hosts, a swarm and a stack, and shows who answers on each host', async () => {
    for (const host of hosts) expect(output).toContain(`${host} is made`)
    for (const host of hosts) {
      expect(output).toMatch(
        new RegExp(`^${host}:8080  answered by hello_web\\.\\d\\.\\w+ on (m1|w1|w2), request`, 'm'),
      )
    }
    // Three replicas behind each port: more than one of them answers.
    expect(new Set(output.match(/hello_web\.\d(?=\.\w+ on)/g)).size).toBeGreaterThan(1)
    expect(output).toMatch(/^\w{25} \* {3}m1 +Ready +Active +Leader/m)
    expect(output).toMatch(/hello_web +replicated +3\/3 +tsmachine\/hello:latest +\*:8080->8080\/tcp/)
    expect(output).toMatch(/hello_counter\.1 +tsmachine\/hello:latest/)
    expect(output.slice(output.indexOf('Worth trying')).match(/^ {2}\S/gm)).toHaveLength(5)
  })

  test('finds them all on a second run, and changes nothing', async () => {
    const lives = await flow.lives()
    const second = await start()
    for (const host of hosts) {
      expect(second).toContain(`${host} runs already`)
      expect(second).toContain(`${host} has it`)
    }
    expect(await flow.lives()).toEqual(lives)
  })

  test('gives each host namespaces of its own, and tasks theirs within their host', async () => {
    for (const kind of ['mnt', 'pid', 'uts', 'ipc', 'net', 'cgroup']) {
      const all = [process.pid, ...hosts.map((host) => flow.initPid(host))]
      expect(new Set(all.map((pid) => readlinkSync(`/proc/${pid}/ns/${kind}`))).size, kind).toBe(4)
    }
    const names = await flow.nodeNames()
    for (const task of await flow.runningTasks()) {
      const host = names.get(task.NodeID!)!
      const inHost = task.Status.ContainerStatus!.PID
      // The host's own view of the process: it counts in the host's namespace and in its own, below it.
      const status = await flow.sh(host, `grep NSpid /proc/${inHost}/status`)
      expect(status.trim().split(/\s+/)).toEqual(['NSpid:', `${inHost}`, '1'])
      const links = `cd /proc/PID/ns && for kind in cgroup ipc mnt net pid time user uts; do readlink $kind; done`
      const [ofHost, ofTask] = await Promise.all(
        [1, inHost].map(async (pid) =>
          (await flow.sh(host, links.replace('PID', `${pid}`))).trim().split('\n'),
        ),
      )
      const shared = ofTask!.filter((link) => ofHost!.includes(link)).map((link) => link.split(':')[0])
      expect(shared).toEqual(['time', 'user'])
    }
  })

  test('carries requests between hosts through VXLAN', async () => {
    const names = await flow.nodeNames()
    const tasks = await flow.runningTasks()
    const counterHost = names.get(tasks.find((task) => isOf(task, 'counter'))!.NodeID!)!
    const other = hosts.find((host) => host !== counterHost)!
    const bytes = async (host: Host) =>
      (
        JSON.parse(await flow.sh(host, 'ip -j -s link show type vxlan')) as {
          stats64: { tx: { bytes: number } }
        }[]
      )
        .map(({ stats64 }) => stats64.tx.bytes)
        .reduce((sum, one) => sum + one, 0)
    const [from, to] = [await bytes(other), await bytes(counterHost)]
    for (let i = 0; i < 9; i++) expect((await ask(flow.address(other))).status).toBe(200)
    expect(await bytes(other)).toBeGreaterThan(from)
    expect(await bytes(counterHost)).toBeGreaterThan(to)
  })

  test('needs no process of ours for traffic: all engines stand still, and ports and addresses answer', async () => {
    const names = await flow.nodeNames()
    const tasks = await flow.runningTasks()
    const web = tasks.find((task) => isOf(task, 'web'))!
    const counter = tasks.find((task) => isOf(task, 'counter'))!
    const address = counter.NetworksAttachments!.map((one) => one.Addresses[0]!.split('/')[0]!).at(-1)!
    const request = `exec 3<>/dev/tcp/${address}/8080; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3`
    const inside = `timeout 3 nsenter -t ${web.Status.ContainerStatus!.PID} -n bash -c '${request}'`
    for (const host of hosts) await flow.signalEngine(host, 'STOP')
    try {
      for (const host of hosts) expect((await ask(flow.address(host), '/health')).text).toBe('well\n')
      expect(await flow.sh(names.get(web.NodeID!)!, inside)).toContain('{"count":')
    } finally {
      for (const host of hosts) await flow.signalEngine(host, 'CONT')
    }
    await flow.engineIsBack('m1')
  })

  test('replaces a container that is killed', async () => {
    await everythingRuns(flow)
    const names = await flow.nodeNames()
    const victim = (await flow.runningTasks()).find((task) => isOf(task, 'web'))!
    await flow.sh(names.get(victim.NodeID!)!, `kill -9 ${victim.Status.ContainerStatus!.PID}`)
    await waitFor(
      'another task in its place',
      async () => {
        const tasks = await flow.runningTasks()
        const isReplaced = tasks.some(
          (task) => task.Slot === victim.Slot && isOf(task, 'web') && task.ID !== victim.ID,
        )
        return (isReplaced && tasks.length === 4) || undefined
      },
      { timeoutMs: 20_000 },
    )
    for (const host of hosts) expect((await ask(flow.address(host))).status).toBe(200)
  })

  test.each(['w1', 'm1'] as const)(
    'loses nothing when the engine of %s is killed, and restarts no container',
    async (host) => {
      await everythingRuns(flow)
      const lives = await flow.lives()
      const tasks = (await flow.runningTasks()).map(({ ID }) => ID).sort()
      const services = await flow.services()
      await flow.signalEngine(host, 'KILL')
      expect((await ask(flow.address(host), '/health')).text).toBe('well\n')
      await flow.engineIsBack(host)
      await everythingRuns(flow)
      expect((await flow.runningTasks()).map(({ ID }) => ID).sort()).toEqual(tasks)
      expect(await flow.lives()).toEqual(lives)
      expect(await flow.services()).toEqual(services)
    },
  )

  test('keeps all nodes when the manager stands still for four seconds', async () => {
    const tasks = (await flow.runningTasks()).map(({ ID }) => ID).sort()
    const versions = (await flow.nodes()).map((node) => `${node.ID} ${node.Status.State}`).sort()
    await flow.signalEngine('m1', 'STOP')
    await sleep(4_000)
    await flow.signalEngine('m1', 'CONT')
    // As long again, in which a manager that misjudged the pause would act.
    for (const end = performance.now() + 4_000; performance.now() < end; await sleep(100)) {
      expect((await flow.nodes()).map((node) => `${node.ID} ${node.Status.State}`).sort()).toEqual(versions)
    }
    expect((await flow.runningTasks()).map(({ ID }) => ID).sort()).toEqual(tasks)
  })

  test('calls a host that dies down within five seconds, and runs its tasks elsewhere within ten', async () => {
    await everythingRuns(flow)
    const names = await flow.nodeNames()
    const counter = (await flow.runningTasks()).find((task) => isOf(task, 'counter'))!
    const onCounter = names.get(counter.NodeID!)!
    const victim = onCounter === 'm1' ? 'w2' : onCounter
    const others = hosts.filter((host) => host !== victim)
    const kept = await flow.runAlways(victim)
    const died = performance.now()
    const killed = flow.run('tsmachine', 'kill', victim)
    await waitFor(
      `${victim} to be down`,
      async () =>
        (await flow.nodes()).find((node) => names.get(node.ID) === victim)!.Status.State === 'down' ||
        undefined,
      { timeoutMs: 5_000 },
    )
    await waitFor('its tasks to run elsewhere', () => runsOn(flow, others), {
      timeoutMs: 10_000 - (performance.now() - died),
    })
    expect((await killed).code).toBe(0)
    for (const host of others) expect((await ask(flow.address(host))).status).toBe(200)
    const started = await flow.run('tsmachine', 'start', victim)
    expect(started.code, started.stderr).toBe(0)
    await waitFor(
      `${victim} to be ready`,
      async () => (await flow.nodes()).every((node) => node.Status.State === 'ready') || undefined,
      { timeoutMs: 15_000 },
    )
    await everythingRuns(flow)
    expect((await ask(flow.address(victim), '/health')).text).toBe('well\n')
    // What was to run always runs again: the same container, started anew.
    const back = (await flow.containers(victim)).find(({ Id }) => Id === kept.Id)!
    expect(back.State.Running).toBe(true)
    expect(back.State.StartedAt > kept.State.StartedAt).toBe(true)
  })

  test('leaves nothing once all is removed', async () => {
    const { code, stderr } = await flow.run('tsmachine', 'rm', '--all', '-y')
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(flow.storage.leftovers()).toEqual([])
    expect(await settled(before)).toEqual([])
    expect(JSON.parse(await flow.storage.ok(['ls', '--json']))).toEqual([])
  })
})

function isOf(
  task: {
    Spec: { ContainerSpec?: { Labels?: Record<string, string>; Args?: string[]; Command?: string[] } }
  },
  service: string,
) {
  return [...(task.Spec.ContainerSpec?.Args ?? []), ...(task.Spec.ContainerSpec?.Command ?? [])].includes(
    `/srv/${service}.mjs`,
  )
}

async function runsOn(flow: Flow, where: readonly Host[]): Promise<true | undefined> {
  const names = await flow.nodeNames()
  const tasks = await flow.runningTasks()
  return (tasks.length === 4 && tasks.every((task) => where.includes(names.get(task.NodeID!)!))) || undefined
}

async function everythingRuns(flow: Flow): Promise<void> {
  await waitFor('all tasks to run', () => runsOn(flow, hosts), { timeoutMs: 20_000 })
}

/** The kernel takes some namespaces and devices away a moment after their last user. */
async function settled(before: Census): Promise<string[]> {
  let difference: string[] = []
  for (let i = 0; i < 20; i++) {
    difference = compareCensus(before, takeCensus())
    if (difference.length === 0) return []
    await sleep(250)
  }
  return difference
}
