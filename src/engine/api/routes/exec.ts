/** /containers/{id}/exec and /exec. */
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { ReadStream } from 'node:tty'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { errnoOf, messageOf } from '../../../shared/errors.ts'
import type { ExecRequest, ExecSession } from '../../containers/exec.ts'
import { resizeTerminal } from '../../containers/resize.ts'
import type { Running } from '../../runtime/running.ts'
import { readJson } from '../body.ts'
import type { ApiContext } from '../context.ts'
import { DetachScanner, parseDetachKeys } from '../detach-keys.ts'
import { frame, streamType } from '../frames.ts'
import { type Hijack, type HijackTable, plainHijack, takeOver } from '../hijack.ts'
import { pumpInput, writeTo } from '../pump.ts'
import { integer, type Query } from '../query.ts'
import { checkExec, wordList } from '../schemas/container.ts'

export function execRoutes(api: ApiContext, hijacks: HijackTable): FastifyPluginAsync {
  const { execs, containers: context } = api
  const idOf = (request: FastifyRequest) => (request.params as { id: string }).id

  return async (app) => {
    app.post('/containers/:id/exec', async (request, reply) => {
      const container = context.table.get(idOf(request))
      const body = await readJson(request.body as Readable | undefined)
      checkExec(body)
      const session = execs.create(container, { ...body, Cmd: wordList(body.Cmd) } as ExecRequest)
      const command = session.request.Cmd!.join(' ')
      context.events.container(`exec_create: ${command}`, container.id, { execID: session.id })
      return reply.code(201).send({ Id: session.id })
    })

    app.get('/exec/:id/json', async (request) => describe(execs.get(idOf(request))))

    app.post('/exec/:id/resize', async (request, reply) => {
      const query = request.query as Query
      const session = execs.get(idOf(request))
      resizeTerminal(
        session.running,
        { height: integer(query, 'h') ?? 0, width: integer(query, 'w') ?? 0 },
        session.id,
      )
      return reply.code(200).send()
    })

    app.post('/exec/:id/start', async (request, reply) => {
      const session = execs.get(idOf(request))
      const body = await readJson(request.body as Readable | undefined)
      if (body.Detach === true) {
        const running = await execs.start(context, session)
        for (const stream of outputs(running)) stream.resume()
        return reply.code(200).send()
      }
      return plainHijack((hijack) => run(api, session, hijack, body))(request, reply)
    })

    hijacks.push({
      method: 'POST',
      pattern: /^\/exec\/([^/]+)\/start$/,
      handler: async (hijack) => {
        const session = execs.get(hijack.id)
        await run(api, session, hijack, await readJson(hijack.request))
      },
    })
  }
}

function describe(session: ExecSession): object {
  const { request, container } = session
  const [entrypoint, ...args] = request.Cmd!
  return {
    ID: session.id,
    Running: session.state === 'running',
    ExitCode: session.exitCode,
    ProcessConfig: {
      tty: request.Tty ?? false,
      entrypoint,
      arguments: args,
      privileged: request.Privileged ?? false,
      ...(request.User ? { user: request.User } : {}),
    },
    OpenStdin: request.AttachStdin ?? false,
    OpenStderr: request.AttachStderr ?? false,
    OpenStdout: request.AttachStdout ?? false,
    CanRemove: false,
    ContainerID: container.id,
    DetachKeys: request.DetachKeys ?? '',
    Pid: session.pid,
  }
}

/** Starts the session on the client's connection. An error after the answer goes in-band. */
async function run(
  api: ApiContext,
  session: ExecSession,
  hijack: Hijack,
  body: Record<string, unknown>,
): Promise<void> {
  const { request } = session
  const { socket } = hijack
  const terminal = request.Tty ?? false
  const scanner = terminal ? new DetachScanner(parseDetachKeys(request.DetachKeys)) : undefined
  if (Array.isArray(body.ConsoleSize)) request.ConsoleSize = body.ConsoleSize as [number, number]
  // Once the session is refused for its state, that is an answer of its own; a program that is missing is not.
  if (session.state !== 'created') await api.execs.start(api.containers, session)
  takeOver(hijack, streamType(terminal, hijack.version))
  let running: Running
  try {
    running = await api.execs.start(api.containers, session)
  } catch (error) {
    const text = Buffer.from(`OCI runtime exec failed: ${messageOf(error)}\n`)
    await writeTo(socket, terminal ? text : frame('stderr', text))
    socket.end()
    return
  }
  if (request.AttachStdin) {
    void pumpInput({
      socket,
      scanner,
      input: async () => session.input,
      onDetach: () => socket.end(),
      onEnd: (input) => input?.end(),
    })
  } else {
    socket.resume()
  }
  const [stdout, stderr] = outputs(running)
  await Promise.all([
    forward(
      stdout,
      request.AttachStdout ?? false,
      (data) => writeTo(socket, terminal ? data : frame('stdout', data)),
      session.ended,
    ),
    forward(
      stderr,
      request.AttachStderr ?? false,
      (data) => writeTo(socket, frame('stderr', data)),
      session.ended,
    ),
  ])
  // The client asks for the exit code as soon as the stream ends.
  await session.ended
  session.input?.end()
  socket.end()
}

function outputs({ output, record }: Running): Readable[] {
  if (!output) return []
  if (record.terminal) return [new ReadStream(output.stdout)]
  return [output.stdout, output.stderr!].map((fd) => new Socket({ fd, readable: true, writable: false }))
}

/** After the program's end its children may hold the streams open; what they write then is not waited for. */
const lingerMs = 250

async function forward(
  stream: Readable | undefined,
  wanted: boolean,
  write: (data: Buffer) => Promise<boolean>,
  ended: Promise<void>,
): Promise<void> {
  if (!stream) return
  const timer = ended.then(() => setTimeout(() => stream.destroy(), lingerMs))
  try {
    let open = wanted
    for await (const data of stream) if (open) open = await write(data as Buffer)
  } catch (error) {
    // EIO is how a terminal ends; a destroyed stream is one that we stopped waiting for.
    if (!['EIO', 'ERR_STREAM_PREMATURE_CLOSE'].includes(errnoOf(error) ?? '')) throw error
  } finally {
    void timer.then(clearTimeout)
  }
}
