/** The thread that unpacks layers (see unpacker.ts): one task after the other. */
import { closeSync, openSync, rmSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { Failure, messageOf } from '../../../shared/errors.ts'
import { syncFileSystem } from '../../kernel/filesystem.ts'
import { storeFailure } from '../content.ts'
import { copyFromRoot } from '../copy-root.ts'
import { fail } from '../errors.ts'
import { type Unpacked, unpackLayer } from './unpack.ts'
import type { FromThread, PlainFailure, Task, ToThread } from './unpack-protocol.ts'

const progressEveryMs = 100
const port = parentPort!
let queue = Promise.resolve()

function say(message: FromThread): void {
  port.postMessage(message)
}

port.on('message', ({ id, task }: ToThread) => {
  queue = queue.then(() => work(id, task))
})

async function work(id: number, task: Task): Promise<void> {
  try {
    say({ kind: 'done', id, unpacked: await run(id, task) })
  } catch (error) {
    say({ kind: 'failed', id, failure: plain(storeFailure(error, 'files of a layer', task.folder)) })
  }
}

async function run(id: number, task: Task): Promise<Unpacked | undefined> {
  if (task.kind === 'remove') {
    rmSync(task.folder, { recursive: true, force: true })
    return undefined
  }
  if (task.kind === 'copy') {
    copyFromRoot(task.layers, task.path, task.folder)
    return undefined
  }
  if (task.kind === 'sync') {
    const fd = openSync(task.folder, 'r')
    try {
      syncFileSystem(fd)
    } finally {
      closeSync(fd)
    }
    return undefined
  }
  let saidAt = performance.now()
  return await unpackLayer(task, (current, total) => {
    if (performance.now() - saidAt < progressEveryMs) return
    saidAt = performance.now()
    say({ kind: 'progress', id, current, total })
  })
}

function plain(error: unknown): PlainFailure {
  const failure =
    error instanceof Failure ? error : fail('E_STORE_IO', { what: 'a layer', errno: messageOf(error) }, error)
  return {
    code: failure.code,
    message: failure.message,
    kind: failure.kind,
    exit: failure.exit,
    http: failure.http,
    retryable: failure.retryable,
    next: failure.suggestions[0],
    cause: failure.cause === undefined ? undefined : messageOf(failure.cause),
  }
}
