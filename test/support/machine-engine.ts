/**
 * Stands in for the engine where only the machine layer is tested: takes `tshost daemon`'s flags, and answers
 * /_ping, /version, /info and the swarm's init, join and leave on a unix socket and over mutual TLS.
 * It uses koffi, so that a bundle without its native part doesn't start.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import koffi from 'koffi'

const getpid = koffi.load('libc.so.6').func('int getpid()') as () => number

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    host: { type: 'string', multiple: true, default: [] },
    tlsverify: { type: 'boolean' },
    tlscacert: { type: 'string' },
    tlscert: { type: 'string' },
    tlskey: { type: 'string' },
    'data-root': { type: 'string' },
    'exec-root': { type: 'string' },
    pidfile: { type: 'string' },
  },
})

interface SwarmState {
  nodeId: string
  tokens: { Worker: string; Manager: string }
  joined?: object
}
const stateFile = `${values['data-root']}/swarm.json`
mkdirSync(values['data-root']!, { recursive: true })

function readSwarm(): SwarmState | undefined {
  try {
    return JSON.parse(readFileSync(stateFile, 'utf8')) as SwarmState
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

const answer: RequestListener = async (request, response) => {
  const { method, url = '' } = request
  const path = url.replace(/\?.*/, '')
  const json = (status: number, body?: object) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(body && JSON.stringify(body))
  }
  const swarm = readSwarm()
  switch (`${method} ${path}`) {
    case 'GET /_ping':
      return response.end('OK')
    case 'GET /version':
      return json(200, { Version: '0.0.1-stand-in', ApiVersion: '1.51', Pid: getpid() })
    case 'GET /info':
      return json(200, {
        Swarm: {
          LocalNodeState: swarm ? 'active' : 'inactive',
          NodeID: swarm?.nodeId ?? '',
          Joined: swarm?.joined,
        },
      })
    case 'POST /swarm/init':
    case 'POST /swarm/join': {
      if (swarm) return json(503, { message: 'This node is already part of a swarm' })
      const id = randomBytes(8).toString('hex')
      const tokens = { Worker: `SWMTKN-1-w-${id}`, Manager: `SWMTKN-1-m-${id}` }
      const body = JSON.parse(await textOf(request)) as object
      writeFileSync(stateFile, JSON.stringify({ nodeId: id, tokens, joined: body }))
      return json(200)
    }
    case 'GET /swarm':
      return swarm
        ? json(200, { JoinTokens: swarm.tokens })
        : json(503, { message: 'This node is not a manager' })
    case 'POST /swarm/leave':
      rmSync(stateFile, { force: true })
      return json(200)
  }
  if (method === 'DELETE' && path.startsWith('/nodes/')) return json(200)
  json(404, { message: 'page not found' })
}

for (const host of values.host) {
  if (host.startsWith('unix://')) {
    const path = host.slice('unix://'.length)
    mkdirSync(dirname(path), { recursive: true })
    rmSync(path, { force: true })
    createServer(answer).listen(path)
    continue
  }
  const { hostname, port } = new URL(host)
  createTlsServer(
    {
      ca: readFileSync(values.tlscacert!),
      cert: readFileSync(values.tlscert!),
      key: readFileSync(values.tlskey!),
      requestCert: true,
      rejectUnauthorized: values.tlsverify === true,
    },
    answer,
  ).listen(Number(port), hostname)
}
if (values.pidfile) writeFileSync(values.pidfile, `${process.pid}\n`)
process.on('SIGTERM', () => process.exit(0))

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
