import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runBin } from '../../support/run-bin.ts'
import { serveSwarmApi } from '../../support/swarm-api.ts'
import { FakeCluster } from '../../support/swarm-cluster.ts'

let cluster: FakeCluster
let api: Awaited<ReturnType<typeof serveSwarmApi>>
beforeAll(async () => {
  cluster = await FakeCluster.make(1)
  api = await serveSwarmApi(cluster.host('m1').node!)
})
afterAll(async () => {
  await api.close()
  await cluster.close()
})

const run = async (line: string | string[]) => {
  const words = typeof line === 'string' ? line.split(' ') : line
  const { code, stdout, stderr } = await runBin('tsswarm', words, {
    env: { DOCKER_HOST: `unix://${api.socket}` },
  })
  return { code, stdout, stderr, lines: stdout.trimEnd().split('\n') }
}

describe('tsswarm', () => {
  it('makes, shows, changes and removes a service', async () => {
    const made = await run('service create --name web --replicas 2 -p 8080:80 img:1')
    expect([made.stderr, made.code]).toEqual(['', 0])
    expect(made.lines).toEqual([expect.stringMatching(/^[0-9a-z]{25}$/), 'web: 2/2 running'])
    const listed = await run('service ls')
    expect(listed.lines[0]).toBe('ID             NAME   MODE         REPLICAS   IMAGE   PORTS')
    expect(listed.lines[1]).toMatch(
      /^[0-9a-z]{12} {3}web {4}replicated {3}2\/2 {8}img:1 {3}\*:8080->80\/tcp$/,
    )
    expect((await run('service scale web=3')).lines).toEqual(['web scaled to 3', 'web: 3/3 running'])
    expect((await run('service update --image img:2 --update-parallelism 0 web')).lines).toEqual([
      'web',
      'web: 3/3 running',
    ])
    const tasks = await run('service ps web')
    expect(tasks.lines[1]).toMatch(/^[0-9a-z]{12} +web\.1 +img:2 +(m1|w1) +Running +Running .* ago$/)
    expect(tasks.lines[2]).toMatch(/^[0-9a-z]{12} +\\_ web\.1 +img:1 +(m1|w1) +Shutdown +Shutdown .* ago$/)
    expect((await run('service rm web')).lines).toEqual(['web'])
    expect((await run('service inspect web')).stderr).toBe('tsswarm: service web not found\n')
  })

  it("leaves a program's own flags and words to it", async () => {
    const args = async () => {
      const format = '{{json .Spec.TaskTemplate.ContainerSpec.Args}}'
      const { stdout } = await run(['service', 'inspect', '-f', format, 'pinger'])
      return JSON.parse(stdout) as string[]
    }
    const made = await run('service create -d --name pinger --replicas 3 img:1 ping -c 3 --name host ping -d')
    expect([made.stderr, made.code]).toEqual(['', 0])
    expect(await args()).toEqual(['ping', '-c', '3', '--name', 'host', 'ping', '-d'])
    for (const flag of [['--args', '-t 5 --detach'], ['--args=-d'], ['--args', '-q']]) {
      const changed = await run(['service', 'update', '-d', ...flag, 'pinger'])
      expect([changed.stderr, changed.code]).toEqual(['', 0])
      expect((await args()).join(' ')).toBe(flag.at(-1)!.replace('--args=', ''))
    }
    expect((await run('service rm pinger')).code).toBe(0)
  })

  it('deploys and removes a stack', async () => {
    const file = join(cluster.host('m1').folder, 'compose.yaml')
    await writeFile(file, 'name: shop\nservices:\n  web: { image: web:1 }\n  db: { image: db:1 }\n')
    const deployed = await run(`deploy -c ${file}`)
    expect([deployed.stderr, deployed.code]).toEqual(['', 0])
    expect(deployed.lines.slice(0, 3)).toEqual([
      'Creating network shop_default',
      'Creating service shop_web',
      'Creating service shop_db',
    ])
    expect(deployed.lines.slice(3).sort()).toEqual(['shop_db: 1/1 running', 'shop_web: 1/1 running'])
    expect((await run('stack ls')).lines).toEqual(['NAME   SERVICES', 'shop   2'])
    expect((await run('stack ps shop')).lines).toHaveLength(3)
    expect((await run('stack services shop')).lines).toHaveLength(3)
    const again = await run(`stack deploy -c ${file} --detach shop`)
    expect(again.lines).toEqual([
      expect.stringMatching(/^Updating service shop_web \(id: /),
      expect.stringMatching(/^Updating service shop_db /),
    ])
    expect((await run('stack rm shop')).lines).toEqual([
      'Removing service shop_db',
      'Removing service shop_web',
      'Removing network shop_default',
    ])
    expect((await run('stack ps shop')).code).toBe(1)
  })

  it('shows and changes nodes', async () => {
    const listed = await run('node ls')
    expect(listed.lines[1]).toMatch(/^[0-9a-z]{25} \* {3}m1 {9}Ready {4}Active {9}Leader {11}1\.0$/)
    expect((await run('node update --availability drain --label-add zone=a w1')).lines).toEqual(['w1'])
    expect((await run('node inspect -f {{.Spec.Availability}} w1')).lines).toEqual(['drain'])
    expect((await run('node update --availability active --label-rm zone w1')).code).toBe(0)
    expect((await run('node rm m1')).stderr).toMatch(/is a cluster manager/)
  })

  it('prints the token, and does not take one that is none', async () => {
    expect((await run('join-token -q worker')).lines).toEqual([cluster.token()])
    expect((await run('join-token worker')).stdout).toContain(
      `tsswarm join --token ${cluster.token()} ${cluster.address}`,
    )
    expect(await run('join 127.0.0.1:1')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no join token/),
    })
    expect((await run('init')).stderr).toMatch(/already part of a swarm/)
  })
})
