/**
 * From start to exit of /bin/true with Docker's defaults (six namespaces, cgroups, seccomp, masks): our
 * runtime in this process, and in turn, in the same run, `crun run` and `runc run` of the same config.json.
 * The peers are started by a shell's loop, so that what Node costs to start a command is not in their figures.
 * In the same rounds also through a daemon's API on a warm socket: create, start, wait and remove.
 * Prints medians and ratios; asserts nothing.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeSpec, RuntimeBench } from '../test/support/bundle.ts'
import { TestDaemon } from '../test/support/daemon.ts'
import { missing, which } from '../test/support/needs.ts'
import { median, printTable } from './print.ts'

const rounds = Number(process.env.ROUNDS ?? 15)
const perRound = 10
const settleMs = 100

export async function benchStart(): Promise<void> {
  const reason = missing('busybox', 'ip', 'nft')
  if (reason) throw new Error(`bench start ${reason}`)
  // A host's /run, where the peers keep their state, is a tmpfs; what one on a disk costs depends on what was
  // removed there in the last five minutes (ext4 passes over such inodes one by one).
  process.env.TMPDIR = '/dev/shm'
  await using bench = new RuntimeBench()
  await bench.poll.started()
  // crun takes the v2 tree of a hybrid machine for the real one: hide it (for the peers' loop only).
  const hide = 'umount /sys/fs/cgroup/unified 2>/dev/null'
  const spec = makeSpec('rootfs', ['true'], (s) => {
    s.linux!.cgroupsPath = `${bench.cgroupParent}/peer`
  })
  writeFileSync(`${bench.folder}/config.json`, JSON.stringify(spec))
  const peer = (runtime: string) => () => {
    const loop = `i=0; while [ $i -lt ${perRound} ]; do ${runtime} --root ${bench.folder}/state run -b ${bench.folder} p$$-$i || exit 1; i=$((i+1)); done`
    const before = performance.now()
    const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', `${hide}; exec sh -c '${loop}'`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    if (status !== 0) throw new Error(`${runtime} failed: ${stderr}`)
    return (performance.now() - before) / perRound
  }
  const ours = async () => {
    const before = performance.now()
    for (let i = 0; i < perRound; i++) {
      const { end } = await bench.start(['true'])
      await end
    }
    return (performance.now() - before) / perRound
  }
  const daemon = new TestDaemon()
  await daemon.start()
  await daemon.loadBusybox()
  const api = (network: string) => async () => {
    const before = performance.now()
    for (let i = 0; i < perRound; i++) await runByApi(daemon, network)
    return (performance.now() - before) / perRound
  }
  const runners: [string, () => number | Promise<number>][] = [
    ['tsmachine', ours],
    ['tsmachine, by the API, no network', api('none')],
    ['tsmachine, by the API, on a bridge', api('bridge')],
  ]
  for (const runtime of ['crun', 'runc']) if (which(runtime)) runners.push([runtime, peer(runtime)])
  try {
    await compare(runners)
  } finally {
    await daemon[Symbol.asyncDispose]()
    await daemon.erase()
  }
}

async function compare(runners: [string, () => number | Promise<number>][]): Promise<void> {
  const times = new Map(runners.map(([name]) => [name, [] as number[]]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of runners) {
      times.get(name)!.push(await run())
      // The kernel takes namespaces and cgroups apart behind our back: nobody pays for the one before.
      await sleep(settleMs)
    }
  }
  // The first round warms caches and the just-in-time compiler.
  const ms = [...times].map(([name, all]) => [name, median(all.slice(1))] as const)
  const own = ms[0]![1]
  const isPeer = (name: string) => !name.startsWith('tsmachine')
  printTable(
    ['start to exit of /bin/true', 'median ms', 'ours / theirs'],
    ms.map(([name, value]) => [name, value.toFixed(2), isPeer(name) ? (own / value).toFixed(3) : '']),
  )
}

async function runByApi(daemon: TestDaemon, network: string): Promise<void> {
  const body = { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: network } }
  const { Id } = (await daemon.api('POST', '/containers/create', body)).json()
  await daemon.api('POST', `/containers/${Id}/start`)
  const { code, text } = await daemon.api('POST', `/containers/${Id}/wait`)
  if (code !== 200 || !text.includes('"StatusCode":0')) throw new Error(`the container ended with ${text}`)
  await daemon.api('DELETE', `/containers/${Id}`)
}
