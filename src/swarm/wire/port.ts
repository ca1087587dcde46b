import { MessageChannel, type MessagePort, type Transferable } from 'node:worker_threads'
import { openWorker } from '../../shared/worker.ts'

/** The near end of a loop that runs elsewhere: in a thread, or in this one for tests and simulations. */
export interface Far<Order, Event> {
  send(order: Order): void
  listen(listener: (event: Event) => void): void
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
  worker.on('error', (error) => failed(error as Error))
  return {
    send: (order) => worker.postMessage(order),
    listen: (listener) => worker.on('message', listener),
    close: async () => {
      await worker.terminate()
    },
  }
}

/** Runs the loop in this thread, with the same messages between. */
export function startHere<Order, Event>(run: (port: MessagePort) => void): Far<Order, Event> {
  const { port1, port2 } = new MessageChannel()
  run(port2)
  return {
    send: (order) => port1.postMessage(order, [] as Transferable[]),
    listen: (listener) => port1.on('message', listener),
    close: async () => port1.close(),
  }
}
