/** POST /containers/{id}/attach: a client's connection becomes the container's streams. */
import type { Container } from '../containers/container.ts'
import type { InputWriter } from '../containers/input.ts'
import { beginning, openLog } from '../runtime/logs/reader.ts'
import type { ApiContext } from './context.ts'
import { DetachScanner, parseDetachKeys } from './detach-keys.ts'
import { frame, streamType } from './frames.ts'
import { type Hijack, takeOver } from './hijack.ts'
import { pumpInput, writeTo } from './pump.ts'
import { flag, text } from './query.ts'

export async function attach(context: ApiContext, hijack: Hijack): Promise<void> {
  const { query, socket, version } = hijack
  const container = context.containers.table.get(hijack.id)
  const { config } = container.record
  const scanner = config.Tty ? new DetachScanner(parseDetachKeys(text(query, 'detachKeys'))) : undefined
  // From here on, whatever the container writes is ours, also if it starts only after our answer.
  const growth = container.watchOutput()
  const gone = new AbortController()
  try {
    await using log = await openLog(container.logs)
    const from = flag(query, 'logs') ? beginning : await log.end()
    takeOver(hijack, streamType(config.Tty, version))
    socket.once('close', () => gone.abort())
    if (flag(query, 'stdin') && config.OpenStdin) {
      void pumpInput({
        socket,
        scanner,
        input: () => inputOf(container, gone.signal),
        onDetach: () => {
          gone.abort()
          socket.end()
          context.containers.events.container('detach', container.id, {})
        },
        onEnd: (input) => {
          if (config.StdinOnce && !config.Tty) input?.end()
        },
      })
    } else {
      // Nobody reads it otherwise, and then its end would never be seen.
      socket.resume()
    }
    context.containers.events.container('attach', container.id, {})
    if (!flag(query, 'stream')) {
      for await (const chunk of log.read({ from })) {
        await send(hijack, config.Tty, chunk)
      }
    } else {
      for await (const chunk of log.read({ from, growth, signal: gone.signal })) {
        if (!(await send(hijack, config.Tty, chunk))) break
      }
    }
  } finally {
    growth.stop()
  }
  socket.end()
}

function send(
  { query, socket }: Hijack,
  terminal: boolean,
  { stream, data }: { stream: 'stdout' | 'stderr'; data: Buffer },
): Promise<boolean> {
  if (!flag(query, terminal ? 'stdout' : stream)) return Promise.resolve(true)
  return writeTo(socket, terminal ? data : frame(stream, data))
}

/** The running container's input; of one that is not started yet, when it is. */
async function inputOf(container: Container, signal: AbortSignal): Promise<InputWriter | undefined> {
  if (container.input || container.record.state.status !== 'created') return container.input
  await new Promise<void>((resolve) => {
    const done = () => resolve()
    container.signals.once('started', done)
    container.signals.once('removed', done)
    signal.addEventListener('abort', done, { once: true })
  })
  return container.input
}
