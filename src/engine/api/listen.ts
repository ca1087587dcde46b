/** Where the API is served: unix sockets, and TCP with mutual TLS. Nothing else is offered. */
import { chmodSync, chownSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { errnoOf, failures, messageOf } from '../../shared/errors.ts'
import type { Api } from './server.ts'

const fail = failures({
  E_HOST: {
    kind: 'user',
    exit: 1,
    text: (p: { host: string; problem: string }) => `can't listen on ${p.host}: ${p.problem}`,
    next: () => 'use unix:///path/to.sock, or tcp://ADDRESS:PORT with --tlsverify and its three files',
  },
  E_TLS_FILE: {
    kind: 'user',
    exit: 1,
    text: (p: { path: string; problem: string }) => `can't use the TLS file ${p.path}: ${p.problem}`,
  },
} as const)

export interface TlsFiles {
  ca: string
  cert: string
  key: string
}

export interface Listener {
  host: string
  close: () => Promise<void>
}

/** Group that may use the unix socket, by id; root's when left out. */
export interface ListenOptions {
  tls?: TlsFiles
  socketGid?: number
}

/** A place that can be listened at, as far as one can tell beforehand. */
export type Place =
  | { host: string; path: string; gid: number }
  | { host: string; address: string; port: number; tls: { ca: Buffer; cert: Buffer; key: Buffer } }

/**
 * Reads "unix:///var/run/docker.sock" or "tcp://0.0.0.0:2376" and what belongs to it, before anything is made.
 * @throws E_HOST, E_TLS_FILE
 */
export async function preparePlace(host: string, options: ListenOptions): Promise<Place> {
  const path = /^unix:\/\/(\/.+)$/.exec(host)?.[1]
  if (path) {
    if (await answers(path)) throw fail('E_HOST', { host, problem: 'another daemon answers there' })
    return { host, path, gid: options.socketGid ?? 0 }
  }
  const tcp = /^tcp:\/\/(\[[^\]]+\]|[^:]*):(\d+)$/.exec(host)
  if (!tcp) throw fail('E_HOST', { host, problem: 'not a form of address that is known' })
  if (!options.tls) throw fail('E_HOST', { host, problem: 'TCP is served with mutual TLS only' })
  const address = tcp[1]!.replace(/^\[|\]$/g, '') || '0.0.0.0'
  return { host, address, port: Number(tcp[2]), tls: readTls(options.tls) }
}

/** Serves the API at one place. @throws E_HOST */
export async function listen(api: Api, place: Place): Promise<Listener> {
  const { host } = place
  if ('path' in place) return listenUnix(api, host, place.path, place.gid)
  const server = createTlsServer(
    {
      ...place.tls,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      // As a plain server has it by itself: a client that has sent all its input still wants the output.
      allowHalfOpen: true,
    },
    api.handler,
  )
  await start(api, host, server as unknown as Server, { host: place.address, port: place.port })
  return { host, close: closer(server as unknown as Server) }
}

async function listenUnix(api: Api, host: string, path: string, gid: number): Promise<Listener> {
  rmSync(path, { force: true })
  const server = createServer(api.handler)
  const mask = process.umask(0o117)
  try {
    await start(api, host, server, { path })
  } finally {
    process.umask(mask)
  }
  chmodSync(path, 0o660)
  chownSync(path, 0, gid)
  const close = closer(server)
  return {
    host,
    close: async () => {
      await close()
      rmSync(path, { force: true })
    },
  }
}

function start(api: Api, host: string, server: Server, where: object): Promise<void> {
  server.on('upgrade', api.upgrade)
  // A stream may rest for hours; a head that does not come is another matter.
  server.requestTimeout = 0
  server.headersTimeout = 60_000
  server.keepAliveTimeout = 120_000
  server.timeout = 0
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(fail('E_HOST', { host, problem: messageOf(error) }, error)))
    server.listen(where, resolve)
  })
}

/** Ends a server with all its connections, hijacked ones too. */
function closer(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function readTls(files: TlsFiles): { ca: Buffer; cert: Buffer; key: Buffer } {
  const read = (path: string) => {
    try {
      return readFileSync(path)
    } catch (error) {
      throw fail('E_TLS_FILE', { path, problem: errnoOf(error) ?? messageOf(error) }, error)
    }
  }
  return { ca: read(files.ca), cert: read(files.cert), key: read(files.key) }
}
