/**
 * The hosts that `npm start` makes, in a storage of their own: asking their engines, and doing them harm.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineClient } from '../../src/machine/engine-api.ts'
import { requireCredentials } from '../../src/machine/pki/authority.ts'
import { waitFor } from '../../src/shared/deadline.ts'
import type { ApiNode, ApiService, ApiTask } from '../../src/swarm/client/types.ts'
import { TestStorage } from './machine-storage.ts'
import { type BinResult, runBin } from './run-bin.ts'

export const hosts = ['m1', 'w1', 'w2'] as const
export type Host = (typeof hosts)[number]

export type Task = ApiTask & {
  Status: { ContainerStatus?: { ContainerID: string; PID: number } }
  NetworksAttachments?: { Network: { Spec: { Name: string } }; Addresses: string[] }[]
}

export interface ContainerState {
  Id: string
  RestartCount: number
  State: { Running: boolean; StartedAt: string; Pid: number }
}

export class Flow {
  readonly storage = new TestStorage({ hasOwnEngine: true })
  readonly #clients = new Map<Host, EngineClient>()

  /** Runs one of the commands as a user of this storage does. */
  run(bin: 'tsmachine' | 'tsswarm', ...args: string[]): Promise<BinResult> {
    return runBin(bin, args, { env: this.storage.env, timeoutMs: 90_000 })
  }

  /** The output of a shell script on a host, which must succeed. */
  async sh(host: Host, script: string): Promise<string> {
    const { code, stdout, stderr } = await this.run('tsmachine', 'ssh', host, 'sh', '-c', script)
    if (code !== 0) throw new Error(`on ${host}: ${script}: exit ${code}: ${stderr}`)
    return stdout
  }

  address(host: Host): string {
    return this.storage.record(host)!.engine!.host
  }

  /** Pid, as this machine counts, of the host's first process. */
  initPid(host: Host): number {
    const path = join(this.storage.path, 'machines', host, 'driver/init.json')
    return (JSON.parse(readFileSync(path, 'utf8')) as { pid: number }).pid
  }

  /** Signals the host's engine. */
  async signalEngine(host: Host, signal: 'KILL' | 'STOP' | 'CONT'): Promise<void> {
    await this.sh(host, `kill -${signal} $(cat /run/tshost.pid)`)
  }

  async engine(host: Host): Promise<EngineClient> {
    const open = this.#clients.get(host)
    if (open) return open
    const { store } = this.storage
    const client = await EngineClient.open(
      this.storage.record(host)!.engine!,
      await requireCredentials(store),
    )
    this.#clients.set(host, client)
    return client
  }

  async get<T>(host: Host, path: string): Promise<T> {
    return (await this.engine(host)).call<T>('GET', path)
  }

  nodes(): Promise<ApiNode[]> {
    return this.get('m1', '/nodes')
  }

  async nodeNames(): Promise<Map<string, Host>> {
    return new Map((await this.nodes()).map((node) => [node.ID, node.Description!.Hostname as Host]))
  }

  /** Tasks that run and are to run. */
  async runningTasks(): Promise<Task[]> {
    const tasks = await this.get<Task[]>('m1', '/tasks')
    return tasks.filter((task) => task.Status.State === 'running' && task.DesiredState === 'running')
  }

  async services(): Promise<ApiService[]> {
    const services = await this.get<ApiService[]>('m1', '/services')
    return services.sort((a, b) => (a.ID < b.ID ? -1 : 1))
  }

  /** All containers of a host, running or not, as inspect shows them. */
  async containers(host: Host): Promise<ContainerState[]> {
    const list = await this.get<{ Id: string }[]>(host, '/containers/json?all=1')
    return Promise.all(list.map(({ Id }) => this.get<ContainerState>(host, `/containers/${Id}/json`)))
  }

  /** Starts a container on a host that is to be there again whenever the host is. */
  async runAlways(host: Host): Promise<ContainerState> {
    const client = await this.engine(host)
    const { Id } = await client.call<{ Id: string }>('POST', '/containers/create', {
      body: {
        Image: 'tsmachine/hello:latest',
        Cmd: ['busybox', 'sleep', '3600'],
        HostConfig: { RestartPolicy: { Name: 'always' } },
      },
    })
    await client.call('POST', `/containers/${Id}/start`)
    return client.call<ContainerState>('GET', `/containers/${Id}/json`)
  }

  /** Id, start and pid of every container: what a restart of any of them would change. */
  async lives(): Promise<string[]> {
    const all = await Promise.all(hosts.map((host) => this.containers(host)))
    return all
      .flat()
      .map(({ Id, State }) => `${Id} ${State.StartedAt} ${State.Pid}`)
      .sort()
  }

  /** Waits until the engine of a host answers again. */
  async engineIsBack(host: Host, timeoutMs = 15_000): Promise<void> {
    const client = await this.engine(host)
    await waitFor(`the engine of ${host}`, () => client.call<object>('GET', '/version').then(() => true), {
      timeoutMs,
    })
  }

  async release(): Promise<void> {
    for (const client of this.#clients.values()) await client.close()
    await this.storage.release()
  }
}

/** One request over a connection of its own. */
export async function ask(
  host: string,
  path = '/',
  timeoutMs = 4_000,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${host}:8080${path}`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(timeoutMs),
  })
  return { status: response.status, text: await response.text() }
}
