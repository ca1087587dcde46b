/**
 * The thread that owns the SQLite file. It takes all requests that wait, runs them in their order inside one
 * SQLite transaction, and answers them together after its commit: one fsync for many writers. Reads in a group
 * see the writes before them; nobody hears of either before they are durable.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { messageOf } from '../../shared/errors.ts'
import { SqliteFile } from './sqlite-file.ts'
import type { Opened, Reply, Request } from './sqlite-messages.ts'

/** Requests in a group at most, so that the first one's answer never waits long. */
const groupLimit = 1024

interface Asked {
  id: number
  request: Request
}

function serve(port: MessagePort, file: SqliteFile): void {
  let syncs = 0
  port.on('message', (first: Asked) => {
    const group = [first]
    while (group.length < groupLimit) {
      const next = receiveMessageOnPort(port) as { message: Asked } | undefined
      if (!next) break
      group.push(next.message)
    }
    const replies: Reply[] = []
    const revision = file.revision
    try {
      file.inTransaction(() => {
        for (const { id, request } of group) replies.push({ id, ...answer(file, request, syncs) } as Reply)
      })
      if (file.revision !== revision) syncs++
      port.postMessage(replies)
    } catch (error) {
      const why = messageOf(error)
      port.postMessage(group.map(({ id }): Reply => ({ id, why })))
    }
    if (group.some(({ request }) => request.op === 'close')) file.close()
  })
}

type Answer = { value: unknown; made?: unknown } | { lost: { revision: number; compacted: number } }

function answer(file: SqliteFile, request: Request, syncs: number): Answer {
  const revision = revisionRead(request)
  if (revision !== undefined && revision < file.compacted)
    return { lost: { revision, compacted: file.compacted } }
  switch (request.op) {
    case 'get':
      return { value: file.get(request.key, request.revision) }
    case 'list':
      return { value: file.list(request.prefix, request) }
    case 'commit': {
      const { outcome, made } = file.commit(request.transaction)
      return { value: outcome, ...(made && { made }) }
    }
    case 'batches':
      return { value: file.batches(request.from) }
    case 'lease':
      file.addLease(request.id, request.ttlMs)
      return { value: undefined }
    case 'revoke': {
      const made = file.revoke(request.id)
      return { value: undefined, ...(made && { made }) }
    }
    case 'compact':
      file.compact(request.revision)
      return { value: file.compacted }
    case 'stats':
      return { value: { revision: file.revision, compacted: file.compacted, syncs } }
    case 'close':
      return { value: undefined }
  }
}

function revisionRead(request: Request): number | undefined {
  if (request.op === 'get' || request.op === 'list') return request.revision
  return request.op === 'batches' ? request.from : undefined
}

const port = parentPort!
try {
  const file = new SqliteFile((workerData as { path: string }).path)
  serve(port, file)
  const { revision, compacted } = file
  port.postMessage({ revision, compacted, leases: file.leases() } satisfies Opened)
} catch (error) {
  port.postMessage({ why: messageOf(error) } satisfies Opened)
}
