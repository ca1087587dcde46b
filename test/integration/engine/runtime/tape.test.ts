import { closeSync, readSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { hostArch } from '../../../../src/engine/kernel/arch.ts'
import { O_CLOEXEC } from '../../../../src/engine/kernel/constants.ts'
import { pipe } from '../../../../src/engine/kernel/libc.ts'
import { mismatchErrno } from '../../../../src/engine/kernel/player/player.ts'
import { openPidfd, reapPidfd } from '../../../../src/engine/kernel/process.ts'
import { spawnTape } from '../../../../src/engine/kernel/spawn.ts'
import { Tape } from '../../../../src/engine/kernel/tape.ts'

const { ENOENT, EBADF } = constants.errno

/** Plays a tape that writes to descriptor 1; gives what it wrote, its report and its exit code. */
async function play(write: (tape: Tape) => void) {
  const [outRead, outWrite] = pipe(O_CLOEXEC)
  const [reportRead, reportWrite] = pipe(O_CLOEXEC)
  const tape = new Tape(hostArch(), [0, 1, 2, 3])
  write(tape)
  tape.call('leave', 'exit_group', [0])
  const pid = spawnTape(
    tape,
    new Map([
      [0, 0],
      [1, outWrite],
      [2, 2],
      [3, reportWrite],
    ]),
    ['tape'],
  )
  closeSync(outWrite)
  closeSync(reportWrite)
  const pidfd = openPidfd(pid)
  const drain = (fd: number) => {
    const buffer = Buffer.alloc(65536)
    let length = 0
    for (let n = 1; n > 0; length += n) n = readSync(fd, buffer, length, buffer.length - length, null)
    closeSync(fd)
    return buffer.subarray(0, length)
  }
  const output = drain(outRead).toString()
  const report = drain(reportRead)
  let code = reapPidfd(pidfd)
  for (let i = 0; code === undefined && i < 100; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    code = reapPidfd(pidfd)
  }
  closeSync(pidfd)
  return { output, failure: report.length ? tape.explain(report) : undefined, code }
}

const say = (tape: Tape, text: string) =>
  tape.call(`say ${text}`, 'write', [1, tape.string(text), text.length])

describe('a tape', () => {
  it('plays its calls in order and ends', async () => {
    const { output, code, failure } = await play((tape) => {
      say(tape, 'a')
      say(tape, 'b')
    })
    expect([output, code, failure]).toEqual(['ab', 0, undefined])
  })

  it('reports the entry that failed and the errno, and stops there', async () => {
    const { output, failure, code } = await play((tape) => {
      say(tape, 'a')
      tape.call('open nothing', 'openat', [-100, tape.string('/no/such/file'), 0, 0])
      say(tape, 'b')
    })
    expect(output).toBe('a')
    expect(failure).toMatchObject({
      what: 'open nothing',
      index: 1,
      errnoName: 'ENOENT',
      message: 'open nothing: ENOENT',
    })
    expect(code).toBe(255)
  })

  it('tolerates one errno, and no other', async () => {
    const { output, failure } = await play((tape) => {
      const end = tape.label()
      tape.call('open nothing', 'openat', [-100, tape.string('/no/such'), 0, 0], {
        tolerate: { errno: ENOENT, to: end },
      })
      say(tape, 'skipped')
      tape.place(end)
      tape.call('open nothing', 'openat', [-100, tape.string('/no/such'), 0, 0], {
        tolerate: { errno: ENOENT },
      })
      say(tape, 'here')
      tape.call('close nothing', 'close', [99], { tolerate: { errno: ENOENT } })
    })
    expect(output).toBe('here')
    expect(failure).toMatchObject({ what: 'close nothing', errno: EBADF })
  })

  it('skips when a result is not zero: a clone has two sides', async () => {
    const { output } = await play((tape) => {
      const parent = tape.label()
      const args = Buffer.alloc(88)
      args.writeUInt32LE(constants.signals.SIGCHLD, 32)
      tape.call('clone', 'clone3', [tape.bytes(args), args.length], { nonzeroTo: parent })
      say(tape, 'child ')
      tape.call('leave', 'exit_group', [3])
      tape.place(parent)
      tape.call('wait', 'wait4', [-1, 0, 0, 0])
      say(tape, 'parent')
    })
    expect(output).toBe('child parent')
  })

  it('stores a result and demands a value, masked', async () => {
    const { output, failure } = await play((tape) => {
      const word = tape.reserve(8)
      tape.call('get uid 0', 'getuid', [], { store: word, check: { address: word, value: 0 } })
      const text = tape.string('xyz')
      tape.call('check one byte', 'getuid', [], {
        check: { address: text, mask: 0xff00, value: 'y'.charCodeAt(0) << 8 },
      })
      say(tape, 'ok')
      const end = tape.label()
      tape.call('a mismatch is tolerated', 'getuid', [], {
        check: { address: text, value: 1 },
        tolerate: { errno: mismatchErrno, to: end },
      })
      say(tape, 'not reached')
      tape.place(end)
      tape.call('or fails', 'getuid', [], { check: { address: text, value: 1 } })
    })
    expect(output).toBe('ok')
    expect(failure).toMatchObject({ what: 'or fails', errnoName: 'MISMATCH' })
  })

  it('counts the descriptors that it opens, and notices one it did not expect', async () => {
    const open = (tape: Tape) => tape.callFd('open', 'openat', [-100, tape.string('/dev/null'), O_CLOEXEC, 0])
    const fine = await play((tape) => {
      tape.closeRange(4)
      expect([open(tape), open(tape)]).toEqual([4, 5])
      tape.close(4)
      expect(open(tape)).toBe(4)
    })
    expect(fine.failure).toBeUndefined()
    const leaky = await play((tape) => {
      tape.call('open behind the back', 'openat', [-100, tape.string('/dev/null'), O_CLOEXEC, 0])
      open(tape)
    })
    expect(leaky.failure).toMatchObject({ what: 'open', errnoName: 'MISMATCH' })
  })

  it('only goes forward', () => {
    const tape = new Tape(hostArch(), [])
    const back = tape.label()
    tape.place(back)
    tape.call('a', 'getpid')
    tape.jump(back)
    expect(() => tape.finish()).toThrow('forward')
  })
})
