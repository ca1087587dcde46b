/** A swarm in small: hosts on one link, networks, services and tasks, and the state that each host is given. */

import { macOf } from '../../src/engine/network/addresses.ts'
import { parseIpv4 } from '../../src/engine/network/ipv4.ts'
import type { Networks } from '../../src/engine/network/networks.ts'
import type { ApplyResult } from '../../src/engine/network/overlay/overlay.ts'
import type { SwarmNetwork, SwarmState } from '../../src/engine/network/overlay/state.ts'
import { containerRequest, Lan, TestHost } from './network.ts'

export interface TestNode {
  host: TestHost
  networks: Networks
  /** On the link between the hosts. */
  address: string
}

export interface TestTask {
  service: string
  node: TestNode
  /** Network's name -> address. */
  addresses: Map<string, string>
  namespace: number
  id: string
  /** Takes requests. */
  live: boolean
}

interface TestNetwork {
  name: string
  vni: number
  /** "10.0.1": of a /24. */
  prefix: string
  internal: boolean
  ingress: boolean
  next: number
  dataPathPort?: number
}

export class TestSwarm {
  readonly lan = new Lan()
  readonly nodes: TestNode[] = []
  readonly tasks: TestTask[] = []
  readonly services = new Map<
    string,
    { vips: Map<string, string>; ports: { published: number; target: number }[] }
  >()
  readonly #networks: TestNetwork[] = []
  readonly #filtersBridged: boolean
  #revision = 0

  constructor(filtersBridged = true) {
    this.#filtersBridged = filtersBridged
  }

  async addNode(): Promise<TestNode> {
    const host = new TestHost(this.#filtersBridged)
    const address = this.lan.join(host)
    const networks = await host.open({ engineId: `0000aa${this.nodes.length.toString().padStart(2, '0')}` })
    const node = { host, networks, address }
    this.nodes.push(node)
    return node
  }

  addNetwork(name: string, change: Partial<TestNetwork> = {}): void {
    const i = this.#networks.length
    this.#networks.push({
      name,
      vni: 4096 + i,
      prefix: `10.0.${i}`,
      internal: false,
      ingress: name === 'ingress',
      next: 100,
      ...change,
    })
  }

  /** A service with a virtual address on each of the networks. */
  addService(name: string, networks: string[], ports: { published: number; target: number }[] = []): void {
    const vips = new Map(networks.map((network) => [network, this.#nextAddress(network)]))
    this.services.set(name, { vips, ports })
  }

  /** A task, whose container is attached on its host. Its networks must have been applied there. */
  addTask(service: string, node: TestNode, networks: string[]): TestTask {
    const id = `${service}${this.tasks.length}`
    const addresses = new Map(networks.map((network) => [network, this.#nextAddress(network)]))
    const task: TestTask = { service, node, addresses, namespace: -1, id, live: true }
    this.tasks.push(task)
    this.apply()
    const endpoints = Object.fromEntries(
      [...addresses].map(([network, address]) => [
        idOf(network),
        { IPAMConfig: { IPv4Address: address }, MacAddress: macOf(parseIpv4(address)!) },
      ]),
    )
    const mode = idOf(networks[0]!)
    const { namespace } = node.networks.attachContainer(
      containerRequest(id, { networkMode: mode, endpoints }),
    )
    if (namespace.kind !== 'join') throw new Error('the task has no namespace')
    task.namespace = namespace.fd
    return task
  }

  removeTask(task: TestTask): void {
    this.tasks.splice(this.tasks.indexOf(task), 1)
    task.node.networks.detachContainer(task.id.padEnd(64, '0'))
    this.apply()
  }

  /** Gives every host its state. */
  apply(): ApplyResult[] {
    this.#revision++
    return this.nodes.map((node) => node.networks.apply(this.stateOf(node)))
  }

  stateOf(node: TestNode): SwarmState {
    const ingress = this.#networks.find((network) => network.ingress)
    return {
      revision: this.#revision,
      networks: this.#networks.map((network) => this.#networkState(network, node)),
      ingressPorts: [...this.services].flatMap(([service, { ports }]) =>
        ports.map(({ published, target }) => ({
          protocol: 'tcp' as const,
          publishedPort: published,
          targetPort: target,
          service,
          endpoints: this.#tasksOf(service, ingress!.name).map((task) => ({
            address: task.addresses.get(ingress!.name)!,
            local: task.node === node,
          })),
        })),
      ),
    }
  }

  close(): void {
    for (const { host } of this.nodes) host.close()
    this.lan.close()
  }

  #networkState(network: TestNetwork, node: TestNode): SwarmNetwork {
    const { name, vni, prefix, internal, ingress, dataPathPort } = network
    const nodeAddress = (i: number) => `${prefix}.${i + 2}`
    const others = this.tasks.filter((task) => task.node !== node && task.addresses.has(name))
    const services = [...this.services].filter(([, { vips }]) => vips.has(name))
    const own = nodeAddress(this.nodes.indexOf(node))
    const peers = [
      ...others.map((task) => ({ address: task.addresses.get(name)!, node: task.node })),
      ...(ingress ? this.nodes.map((one, i) => ({ address: nodeAddress(i), node: one })) : []),
    ]
    return {
      ...{ id: idOf(name), name, driver: 'overlay', vni, internal, ingress },
      subnet: `${prefix}.0/24`,
      gateway: `${prefix}.1`,
      labels: {},
      options: {},
      ...(dataPathPort && { dataPathPort }),
      ...(ingress && { node: { address: `${own}/24`, macAddress: macOf(parseIpv4(own)!) } }),
      peers: peers
        .filter((peer) => peer.node !== node)
        .map(({ address, node: { address: host } }) => ({
          address,
          macAddress: macOf(parseIpv4(address)!),
          host,
        })),
      names: ingress
        ? []
        : services.flatMap(([service, { vips }]) => [
            { name: service, addresses: [vips.get(name)!] },
            {
              name: `tasks.${service}`,
              addresses: this.#tasksOf(service, name).map((t) => t.addresses.get(name)!),
            },
          ]),
      virtualAddresses: ingress
        ? []
        : services.map(([service, { vips }]) => ({
            address: vips.get(name)!,
            service,
            endpoints: this.#tasksOf(service, name).map((task) => task.addresses.get(name)!),
          })),
    }
  }

  #tasksOf(service: string, network: string): TestTask[] {
    return this.tasks.filter((task) => task.service === service && task.live && task.addresses.has(network))
  }

  #nextAddress(name: string): string {
    const network = this.#networks.find((one) => one.name === name)!
    return `${network.prefix}.${network.next++}`
  }
}

/** A network's id from its name: 25 characters as Swarm's. */
export function idOf(name: string): string {
  return `n${name}`.padEnd(25, '0')
}
