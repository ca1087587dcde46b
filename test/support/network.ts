/**
 * Hosts that are network namespaces, and servers and clients inside namespaces, all in this process: traffic
 * goes nowhere else. Disposing takes everything away.
 */
import { execFile, execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NetlinkSocket } from '../../src/engine/kernel/netlink.ts'
import { addAddress, replaceRoute } from '../../src/engine/kernel/netlink-addresses.ts'
import { addBridge, addVeth, changeLink, needLink } from '../../src/engine/kernel/netlink-links.ts'
import { closeNamespace, createNamespace, inNamespace } from '../../src/engine/kernel/netns.ts'
import { openBoundSocket, openConnectingSocket } from '../../src/engine/kernel/netns-sockets.ts'
import { openNft } from '../../src/engine/kernel/nft.ts'
import type { Clock, NetworkEvent } from '../../src/engine/network/context.ts'
import { type ContainerRequest, Networks, type NetworksOptions } from '../../src/engine/network/networks.ts'
import { within } from '../../src/shared/deadline.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  },
}

/** A log that keeps what it was told, one line each. */
export class KeptLog {
  readonly lines: string[] = []
  debug(): void {}
  info(fields: object, message: string): void {
    this.#keep('info', fields, message)
  }
  warn(fields: object, message: string): void {
    this.#keep('warn', fields, message)
  }
  error(fields: object, message: string): void {
    this.#keep('error', fields, message)
  }
  #keep(level: string, fields: object, message: string): void {
    this.lines.push(`${level}: ${message} ${JSON.stringify(fields)}`)
  }
}

/** A host with an engine's network on it. */
export class TestHost {
  readonly namespace = createNamespace()
  readonly socket = NetlinkSocket.open({ namespace: this.namespace })
  readonly folder = mkdtempSync(join(tmpdir(), 'tsmachine-network-'))
  readonly log = new KeptLog()
  readonly events: NetworkEvent[] = []
  readonly #closers: (() => void)[] = []

  /** @param filtersBridged whether bridged packets pass the host's rules too (br_netfilter), as Docker wants it */
  constructor(filtersBridged = true) {
    const sysctl = '/proc/sys/net/bridge/bridge-nf-call-iptables'
    inNamespace(this.namespace, () => {
      if (existsSync(sysctl)) writeFileSync(sysctl, filtersBridged ? '1' : '0')
    })
    this.socket.execute([changeLink('lo', { up: true })])
    this.setResolvConf('nameserver 203.0.113.53\nsearch example.com\n')
  }

  /** What engines that are opened here take for the host's; one that is open sees it two seconds later. */
  setResolvConf(text: string): void {
    writeFileSync(join(this.folder, 'resolv.conf'), text)
  }

  /** Opens an engine's networks here; several are fine, with ids of their own. */
  async open(options: Partial<NetworksOptions> = {}): Promise<Networks> {
    const networks = await Networks.open({
      engineId: '0000aaaa',
      dataRoot: join(this.folder, options.engineId ?? '0000aaaa'),
      log: this.log,
      clock: systemClock,
      emit: (event) => this.events.push(event),
      hostNamespace: this.namespace,
      resolvConf: join(this.folder, 'resolv.conf'),
      ...options,
    })
    this.onClose(() => networks.close())
    return networks
  }

  onClose(close: () => void): void {
    this.#closers.push(close)
  }

  /** Runs a program in the host's namespace. */
  run(program: string, ...args: string[]): string {
    return runIn(this.namespace, program, ...args)
  }

  ruleset(): string {
    const session = openNft().open(this.namespace)
    try {
      return session.run('list ruleset')
    } finally {
      session.close()
    }
  }

  close(): void {
    for (const close of this.#closers.reverse()) close()
    this.socket.close()
    closeNamespace(this.namespace)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Runs a program in a namespace and returns what it wrote. @throws when it fails */
export function runIn(namespace: number, program: string, ...args: string[]): string {
  return inNamespace(namespace, () =>
    execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe', timeout: 10_000 }),
  )
}

/** The same without holding up this process, which may have to answer it. */
export function startIn(namespace: number, program: string, ...args: string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  inNamespace(namespace, () => {
    execFile(program, args, { encoding: 'utf8', timeout: 10_000 }, (error, out) =>
      error ? reject(error) : resolve(out),
    )
  })
  return promise
}

/** Hosts on one link: each gets the next address of 10.77.0.0/24, on a device eth0. */
export class Lan {
  readonly namespace = createNamespace()
  readonly #socket = NetlinkSocket.open({ namespace: this.namespace })
  #count = 0

  constructor() {
    this.#socket.execute([addBridge({ name: 'lan', up: true })])
    const link = needLink(this.#socket, 'lan').index
    this.#socket.execute([addAddress({ link, address: '10.77.0.254', prefixLength: 24 })])
  }

  /** @returns the host's address; its default route leads to 10.77.0.254 */
  join(host: { socket: NetlinkSocket; namespace: number }): string {
    const address = `10.77.0.${++this.#count}`
    const name = `port${this.#count}`
    const master = needLink(this.#socket, 'lan').index
    this.#socket.execute([
      addVeth({ name, peer: { name: 'eth0', namespace: host.namespace } }),
      changeLink(name, { master, up: true }),
    ])
    const link = needLink(host.socket, 'eth0').index
    host.socket.execute([
      changeLink(link, { up: true }),
      addAddress({ link, address, prefixLength: 24 }),
      replaceRoute({ destination: '0.0.0.0', prefixLength: 0, gateway: '10.77.0.254' }),
    ])
    return address
  }

  close(): void {
    this.#socket.close()
    closeNamespace(this.namespace)
  }
}

/** A container's request with nothing special in it. */
export function containerRequest(id: string, change: Partial<ContainerRequest> = {}): ContainerRequest {
  return {
    id: id.padEnd(64, '0'),
    name: id,
    hostname: id,
    networkMode: 'default',
    endpoints: {},
    ports: {},
    wishes: {},
    ...change,
  }
}

export interface TestServer {
  close(): void
}

/** A TCP server in a namespace that says its name and whom it sees, then hangs up. */
export async function serve(
  namespace: number,
  name: string,
  port: number,
  address = '0.0.0.0',
): Promise<TestServer> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(`${name} ${socket.remoteAddress}\n`)
  })
  const fd = openBoundSocket({ protocol: 'tcp', address, port, namespace })
  await new Promise<void>((resolve) => server.listen({ fd }, resolve))
  return server
}

/** A UDP server in a namespace that answers with its name and whom it sees. */
export async function serveUdp(namespace: number, name: string, port: number): Promise<TestServer> {
  const socket = createSocket('udp4')
  socket.on('message', (_message, from) => socket.send(`${name} ${from.address}\n`, from.port, from.address))
  const fd = openBoundSocket({ protocol: 'udp', address: '0.0.0.0', port, namespace })
  await new Promise<void>((resolve) => socket.bind({ fd }, resolve))
  return { close: () => socket.close() }
}

/** Sends bytes to a TCP server and returns all that comes back until it hangs up, or the first piece. */
export async function exchangeTcp(
  namespace: number,
  address: string,
  port: number,
  data: Uint8Array,
  limitMs = 3000,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const socket = new Socket({ fd: openConnectingSocket(address, port, namespace) })
  socket.on('error', reject)
  socket.on('data', (piece: Buffer) => resolve(piece))
  socket.write(data)
  try {
    return await within(`${address}:${port} to answer`, limitMs, promise)
  } finally {
    socket.destroy()
  }
}

/** Sends a datagram and returns the one that comes back. */
export async function exchangeUdp(
  namespace: number,
  address: string,
  port: number,
  data: Uint8Array,
  limitMs = 6000,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const socket = createSocket('udp4')
  socket.on('error', reject)
  socket.on('message', resolve)
  socket.bind({ fd: openBoundSocket({ protocol: 'udp', address: '0.0.0.0', port: 0, namespace }) })
  socket.send(data, port, address)
  try {
    return await within(`${address}:${port} to answer`, limitMs, promise)
  } finally {
    socket.close()
  }
}

/** What a TCP server says. @throws when it can't be reached within the limit */
export async function ask(namespace: number, address: string, port: number, limitMs = 6000): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = new Socket({ fd: openConnectingSocket(address, port, namespace) })
  let received = ''
  socket.on('error', reject)
  socket.on('data', (data) => {
    received += data
  })
  socket.on('end', () => resolve(received.trim()))
  try {
    return await within(`${address}:${port} to answer`, limitMs, promise)
  } finally {
    socket.destroy()
  }
}

/** What a UDP server answers. @throws when it does not within the limit */
export async function askUdp(
  namespace: number,
  address: string,
  port: number,
  limitMs = 6000,
): Promise<string> {
  const answer = await exchangeUdp(namespace, address, port, Buffer.from('?'), limitMs)
  return answer.toString().trim()
}
