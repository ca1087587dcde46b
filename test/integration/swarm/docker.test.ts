import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serveSwarmApi } from '../../support/swarm-api.ts'
import { FakeCluster } from '../../support/swarm-cluster.ts'

/** The docker command's version, or undefined where there is none. */
function dockerVersion(): string | undefined {
  try {
    return execFileSync('docker', ['--version'], { encoding: 'utf8' }).trim()
  } catch {
    // Not installed: the tests say so and are skipped.
    return undefined
  }
}

const version = dockerVersion()
const title = version
  ? `the real docker command (${version})`
  : 'the real docker command: skipped, not installed'

describe.skipIf(!version)(title, () => {
  let cluster: FakeCluster
  let api: Awaited<ReturnType<typeof serveSwarmApi>>
  let folder: string
  beforeAll(async () => {
    cluster = await FakeCluster.make(1)
    api = await serveSwarmApi(cluster.host('m1').node!)
    folder = await mkdtemp(join(tmpdir(), 'swarm-docker-'))
  })
  afterAll(async () => {
    await api.close()
    await cluster.close()
    await rm(folder, { recursive: true, force: true })
  })

  const docker = (line: string, socket = api.socket) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const env = { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: folder }
      execFile('docker', line.split(' '), { env, timeout: 60_000 }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      )
    })

  it('begins a swarm, joins it and leaves it', async () => {
    const other = await FakeCluster.make(0)
    const alone = await other.addHost('alone')
    const second = await serveSwarmApi(alone.node!)
    try {
      expect((await docker('node ls', second.socket)).stderr).toMatch(/This node is not a swarm manager/)
      const join = `swarm join --token ${cluster.token()} ${cluster.address}`
      expect((await docker(join, second.socket)).stdout).toBe('This node joined a swarm as a worker.\n')
      expect((await docker('swarm leave', second.socket)).stdout).toBe('Node left the swarm.\n')
      const begun = await docker(
        'swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:0',
        second.socket,
      )
      expect(begun.stdout).toMatch(/Swarm initialized: current node \([0-9a-z]{25}\) is now a manager/)
      expect((await docker('swarm leave', second.socket)).code).toBe(1)
      expect((await docker('swarm leave --force', second.socket)).stdout).toBe('Node left the swarm.\n')
    } finally {
      await second.close()
      await other.close()
    }
  })

  it('makes a service and waits for it, shows, changes and removes it', async () => {
    const made = await docker('service create --name web --replicas 2 -p 8080:80 img:1')
    expect(made.stdout).toMatch(/overall progress: 2 out of 2 tasks[\s\S]*converged/)
    expect((await docker('service ls --format {{.Name}}|{{.Replicas}}|{{.Ports}}')).stdout).toBe(
      'web|2/2|*:8080->80/tcp\n',
    )
    expect((await docker('service scale -d web=3')).code).toBe(0)
    expect((await docker('service update -d --image img:2 --update-parallelism 0 web')).code).toBe(0)
    await cluster.settled((await docker('service inspect -f {{.ID}} web')).stdout.trim(), 3)
    const tasks = await docker(
      'service ps -f desired-state=running --format {{.Name}}|{{.Image}}|{{.CurrentState}} web',
    )
    expect(tasks.stdout.trim().split('\n').sort()).toEqual(
      [1, 2, 3].map((n) => expect.stringMatching(`^web.${n}\\|img:2\\|Running`)),
    )
    expect((await docker('service rm web')).stdout).toBe('web\n')
    expect((await docker('service inspect web')).code).toBe(1)
  })

  it('deploys a stack that tsswarm would call the same, and removes it', async () => {
    const file = join(folder, 'stack.yaml')
    await writeFile(
      file,
      'services:\n  web: { image: "web:1", ports: ["8081:80"] }\n  db: { image: "db:1" }\n',
    )
    const deployed = await docker(`stack deploy -d -c ${file} shop`)
    expect([deployed.code, deployed.stdout.split('\n').sort().join('|')]).toEqual([
      0,
      '|Creating network shop_default|Creating service shop_db|Creating service shop_web',
    ])
    expect((await docker('stack ls --format {{.Name}}|{{.Services}}')).stdout).toBe('shop|2\n')
    expect((await docker('stack ps --format {{.Name}} shop')).stdout.split('\n').sort()).toEqual([
      '',
      'shop_db.1',
      'shop_web.1',
    ])
    expect(
      (await docker('network ls -f label=com.docker.stack.namespace=shop --format {{.Name}}')).stdout,
    ).toBe('shop_default\n')
    expect((await docker('stack rm shop')).code).toBe(0)
    expect((await docker('stack ls --format {{.Name}}')).stdout).toBe('')
  })

  it('shows and changes nodes', async () => {
    const nodes = await docker('node ls --format {{.Hostname}}|{{.Status}}|{{.ManagerStatus}}|{{.Self}}')
    expect(nodes.stdout.split('\n')).toContain('m1|Ready|Leader|true')
    expect((await docker('node update --availability drain --label-add zone=a w1')).stdout).toBe('w1\n')
    expect((await docker('node inspect -f {{.Spec.Availability}}{{.Spec.Labels}} w1')).stdout).toBe(
      'drainmap[zone:a]\n',
    )
    expect((await docker('node ps w1')).code).toBe(0)
    expect((await docker('node rm w1')).stderr).toMatch(/is not down and can't be removed/)
    expect((await docker('swarm join-token -q worker')).stdout.trim()).toBe(cluster.token())
  })
})
