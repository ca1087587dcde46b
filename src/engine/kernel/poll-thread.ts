/** The poll thread (see poll.ts). It blocks in epoll_wait, so nothing else may live on it. */
import { closeSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { messageOf } from '../../shared/errors.ts'
import { hostArch } from './arch.ts'
import * as c from './constants.ts'
import { SystemCallError } from './errno.ts'
import { addressOf, raiseEventFd, rawCall, readFdQuiet } from './libc.ts'
import { type Capture, type FromPoll, indexRecordSize, type ToPoll, type Watch } from './poll-protocol.ts'
import { reapPidfd } from './process.ts'

const { port, wakeFd } = workerData as { port: MessagePort; wakeFd: number }
const { numbers } = hostArch()
const { EAGAIN, EINTR, EIO } = constants.errno

/** What an epoll event's key stands for. */
type Source = { watch: State; capture?: OpenCapture; isKept?: boolean }
interface OpenCapture extends Capture {
  key: number
  open: boolean
}
interface State extends Watch {
  captures: OpenCapture[]
  followed: boolean
  pidKey: number
  keptKey: number
  /** The watched process has ended, with the status if it was our child. */
  ended?: { status?: number }
}

const sources = new Map<number, Source>()
const states = new Map<number, State>()
const epoll = rawCall('epoll_create1', numbers.epoll_create1!, c.EPOLL_CLOEXEC)
const wakeKey = 0
let nextKey = 1
/** Captures whose spool could not be written; they are tried again after a while. */
const stuck = new Set<OpenCapture>()
const retryStuckMs = 200
let retryAt = 0

/** As much as a pipe of ours holds. */
const spliceBytes = 1 << 20
const maxEvents = 64
/** struct epoll_event is packed on x86-64 only. */
const eventSize = process.arch === 'x64' ? 12 : 16
const eventKeyOffset = process.arch === 'x64' ? 4 : 8
const events = Buffer.alloc(maxEvents * eventSize)
const eventsAddress = addressOf(events)
const offsetWord = Buffer.alloc(8)
const offsetAddress = addressOf(offsetWord)
const indexRecord = Buffer.alloc(indexRecordSize)
const drain = Buffer.alloc(8)
const terminalBuffer = Buffer.alloc(65536)

function say(message: FromPoll): void {
  port.postMessage(message)
}

function control(operation: number, fd: number, key: number, interest = c.EPOLLIN): void {
  const event = Buffer.alloc(eventSize)
  event.writeUInt32LE(interest, 0)
  event.writeUInt32LE(key, eventKeyOffset)
  rawCall('epoll_ctl', numbers.epoll_ctl!, epoll, operation, fd, addressOf(event))
}

function add(watch: Watch): void {
  const state: State = {
    ...watch,
    captures: watch.captures.map((capture) => ({ ...capture, key: nextKey++, open: true })),
    followed: false,
    pidKey: nextKey++,
    keptKey: nextKey++,
  }
  states.set(watch.id, state)
  sources.set(state.pidKey, { watch: state })
  control(c.EPOLL_CTL_ADD, state.pidfd, state.pidKey)
  for (const capture of state.captures) {
    sources.set(capture.key, { watch: state, capture })
    control(c.EPOLL_CTL_ADD, capture.fd, capture.key)
  }
  if (!state.kept) return
  if (state.kept.pidfd === undefined) {
    settle(state)
  } else {
    sources.set(state.keptKey, { watch: state, isKept: true })
    control(c.EPOLL_CTL_ADD, state.kept.pidfd, state.keptKey)
  }
}

/** Moves what the pipe holds to the spool. @returns whether anything came */
function pump(state: State, capture: OpenCapture): boolean {
  let moved = 0
  for (;;) {
    let n: number
    try {
      n = capture.terminal ? copy(capture) : splice(capture)
    } catch (error) {
      const { errno } = error as { errno: number }
      if (errno === EINTR) continue
      if (errno !== EAGAIN) hold(state, capture, messageOf(error))
      break
    }
    if (n === 0) {
      finish(capture)
      break
    }
    capture.offset += n
    moved += n
  }
  if (moved > 0) record(state, capture)
  return moved > 0
}

/** The kernel moves the bytes: a thread that is killed here has consumed exactly what the file has. */
function splice(capture: OpenCapture): number {
  offsetWord.writeBigInt64LE(BigInt(capture.offset))
  const flags = c.SPLICE_F_MOVE | c.SPLICE_F_NONBLOCK
  return rawCall('splice', numbers.splice!, capture.fd, 0, capture.spoolFd, offsetAddress, spliceBytes, flags)
}

/** splice(2) wants a pipe on one side, which a terminal is not. Its end is EIO: the last slave was closed. */
function copy(capture: OpenCapture): number {
  const n = readFdQuiet(capture.fd, terminalBuffer, terminalBuffer.length)
  if (n === -EIO) return 0
  if (n < 0) throw new SystemCallError('read', -n)
  for (let done = 0; done < n; )
    done += writeSync(capture.spoolFd, terminalBuffer, done, n - done, capture.offset + done)
  return n
}

function record(state: State, capture: OpenCapture): void {
  if (state.indexFd === undefined) return
  indexRecord.writeBigUInt64LE(Temporal.Now.instant().epochNanoseconds, 0)
  indexRecord.writeBigUInt64LE(BigInt(capture.offset), 8)
  indexRecord.writeUInt32LE(capture.stream, 16)
  try {
    writeSync(state.indexFd, indexRecord)
  } catch (error) {
    // The bytes are safe; their time will be that of the next record.
    say({ kind: 'error', id: state.id, message: messageOf(error) })
  }
}

/** A spool that can't be written (a full disk): the bytes stay in the pipe, and we come back. */
function hold(state: State, capture: OpenCapture, message: string): void {
  // At its container's end it is tried once more, on time or not; then it may be out of the set already.
  if (!stuck.has(capture)) control(c.EPOLL_CTL_DEL, capture.fd, capture.key)
  stuck.add(capture)
  retryAt = performance.now() + retryStuckMs
  say({ kind: 'error', id: state.id, message })
}

function retryStuck(): void {
  for (const capture of [...stuck]) {
    const source = sources.get(capture.key)
    stuck.delete(capture)
    if (source) control(c.EPOLL_CTL_ADD, capture.fd, capture.key)
  }
}

function finish(capture: OpenCapture): void {
  if (!capture.open) return
  capture.open = false
  sources.delete(capture.key)
  // The keeper has the same pipe open, so closing our number would leave it in the set.
  if (!stuck.delete(capture)) control(c.EPOLL_CTL_DEL, capture.fd, capture.key)
  closeSync(capture.fd)
  closeSync(capture.spoolFd)
}

/** The watched process has ended. One that was killed before the process that it keeps is no end yet. */
function end(state: State): void {
  state.ended = { status: reapPidfd(state.pidfd) }
  sources.delete(state.pidKey)
  control(c.EPOLL_CTL_DEL, state.pidfd, state.pidKey)
  if (state.kept?.pidfd === undefined) tell(state)
}

/** The kept process has ended: whatever its pipes hold comes first, then its keeper may go. */
function settle(state: State): void {
  const { pidfd, releaseFd } = state.kept!
  drainAll(state)
  if (pidfd !== undefined) {
    sources.delete(state.keptKey)
    closeSync(pidfd)
    state.kept = { releaseFd }
  }
  raiseEventFd(releaseFd)
  if (state.ended) tell(state)
}

function drainAll(state: State): void {
  for (const capture of state.captures) {
    if (capture.open) pump(state, capture)
    finish(capture)
  }
}

function tell(state: State): void {
  drainAll(state)
  forget(state)
  say({ kind: 'exit', id: state.id, status: state.ended?.status })
}

function forget(state: State): void {
  for (const capture of state.captures) finish(capture)
  sources.delete(state.pidKey)
  sources.delete(state.keptKey)
  states.delete(state.id)
  closeSync(state.pidfd)
  if (state.kept?.pidfd !== undefined) closeSync(state.kept.pidfd)
  if (state.kept) closeSync(state.kept.releaseFd)
  if (state.indexFd !== undefined) closeSync(state.indexFd)
}

/** @returns false when the thread must end */
function receive(): boolean {
  readFdQuiet(wakeFd, drain, 8)
  for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port)) {
    const message = got.message as ToPoll
    if (message.kind === 'stop') return false
    if (message.kind === 'watch') add(message.watch)
    else {
      const state = states.get(message.id)
      if (!state) continue
      state.followed = message.on
      // What came while this message was under way was told to nobody.
      if (message.on) say({ kind: 'bytes', id: message.id })
    }
  }
  return true
}

/**
 * A container that writes line by line would wake us for each. Once eight rounds came within eight
 * milliseconds we sleep one between rounds: the pipes hold a megabyte.
 */
const busyRounds = 8
const recent: number[] = []
const sleeper = new Int32Array(new SharedArrayBuffer(4))
function restIfBusy(): void {
  const now = performance.now()
  recent.push(now)
  if (recent.length <= busyRounds) return
  if (now - recent.shift()! < busyRounds) Atomics.wait(sleeper, 0, 0, 1)
}

function loop(): void {
  for (;;) {
    const timeout = stuck.size > 0 ? retryStuckMs : -1
    let count: number
    try {
      count = rawCall('epoll_pwait', numbers.epoll_pwait!, epoll, eventsAddress, maxEvents, timeout, 0, 8)
    } catch (error) {
      if ((error as { errno: number }).errno === EINTR) continue
      throw error
    }
    if (stuck.size > 0 && performance.now() >= retryAt) retryStuck()
    const keys = Array.from({ length: count }, (_, i) => events.readUInt32LE(i * eventSize + eventKeyOffset))
    let bytes = false
    for (const key of keys) {
      if (key === wakeKey) {
        if (!receive()) return
        continue
      }
      const source = sources.get(key)
      if (!source) continue
      if (source.isKept) settle(source.watch)
      else if (!source.capture) end(source.watch)
      else if (source.capture.open && pump(source.watch, source.capture)) {
        bytes = true
        if (source.watch.followed) say({ kind: 'bytes', id: source.watch.id })
      }
    }
    if (bytes) restIfBusy()
  }
}

control(c.EPOLL_CTL_ADD, wakeFd, wakeKey)
say({ kind: 'ready' })
loop()
for (const state of [...states.values()]) forget(state)
closeSync(epoll)
port.close()
