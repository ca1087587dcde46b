import { MessageChannel, type MessagePort, type Transferable } from 'node:worker_threads'
import { openWorker } from '../../shared/worker.ts'

/** The near end of a loop that runs elsewhere: in a thread, or in this one for tests and simulations. */
export interface Far<Order, Event> {
  send(order: Order): void
  listen(listener: (event: Event) => void): void
  /** Resolves when the thread has ended, by itself or by close(); of a loop in this thread never. */
  ended: Promise<void>
  /** Lets the process end although the loop is there. */
  close(): Promise<void>
}

/** Starts the module `role` beside the caller as a thread with `data`; `failed` is called when it dies by itself. */
export function startThread<Order, Event>(
  role: string,
  callerUrl: string,
  data: object,
  failed: (error: Error) => void,
): Far<Order, Event> {
  const worker = openWorker(role, callerUrl, { workerData: data })
  let isFailed = false
  const fail = (error: Error) => {
    if (isFailed) return
    isFailed = true
    failed(error)
  }
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  worker.on('error', (error) => fail(error as Error))
  worker.on('exit', (code) => {
    resolve()
    fail(new Error(`the thread ended with code ${code}`))
  })
  return {
    ended,
    send: (order) => worker.postMessage(order),
    listen: (listener) => worker.on('message', listener),
    close: async () => {
      isFailed = true
      await worker.terminate()
    },
  }
}

/** Runs the loop in this thread, with the same messages between. */
export function startHere<Order, Event>(run: (port: MessagePort) => void): Far<Order, Event> {
  const { port1, port2 } = new MessageChannel()
  run(port2)
  return {
    ended: new Promise(() => undefined),
    send: (order) => port1.postMessage(order, [] as Transferable[]),
    listen: (listener) => port1.on('message', listener),
    close: async () => port1.close(),
  }
}
