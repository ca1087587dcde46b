import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { describeDaemon } from '../../../support/daemon-suite.ts'

/** Whether one process may trace another here; seccomp and Yama may forbid it. */
function traceProblem(): string | undefined {
  try {
    execFileSync('strace', ['-o', '/dev/null', 'true'], { stdio: 'pipe' })
    return undefined
  } catch (error) {
    return `ptrace is not possible here: ${(error as Error).message.split('\n')[0]}`
  }
}

const threadsOf = (pid: number) => readdirSync(`/proc/${pid}/task`).map((id) => `/proc/${pid}/task/${id}`)
const isTraced = (thread: string) => /^TracerPid:\s+[1-9]/m.test(readFileSync(`${thread}/status`, 'utf8'))

describeDaemon('what the daemon executes', { programs: ['strace'] }, (daemon) => {
  it('between an API call and the user’s program is an image in memory and nothing else', async (context) => {
    const problem = traceProblem()
    if (problem) {
      console.warn(`skipped: ${problem}`)
      context.skip(problem)
    }
    const trace = join(daemon.folder, 'trace')
    const flags = ['-f', '-qq', '-e', 'trace=execve,execveat', '-e', 'signal=none', '-s', '200']
    const tracer = spawn('strace', [...flags, '-o', trace, '-p', String(daemon.pid)], { stdio: 'ignore' })
    const ended = new Promise((resolve) => tracer.once('exit', resolve))
    try {
      await waitFor(
        'strace to hold every thread of the daemon',
        () => (threadsOf(daemon.pid).every(isTraced) ? true : undefined),
        { timeoutMs: 10_000 },
      )
      // A port, a volume and a bridge: no helper for any of them either.
      const flagsOfRun = ['-p', '127.0.0.1::80', '-v', 'kept:/kept', '--memory', '64m']
      const out = await daemon.dockerOk('run', '--name', 'traced', ...flagsOfRun, 'busybox', 'echo', 'traced')
      expect(out).toBe('traced')
      await daemon.dockerOk('start', 'traced')
      await daemon.dockerOk('wait', 'traced')
    } finally {
      tracer.kill('SIGINT')
      await ended
    }
    await daemon.dockerOk('rm', 'traced')
    await daemon.dockerOk('volume', 'rm', 'kept')
    const executed = readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) => /execve(at)?\(/.test(line) && / = 0$/.test(line))
      .map((line) => /execve(?:at)?\((.*), 0x/.exec(line)?.[1])
    // Twice: the keeper's image, and then the program, inside.
    const run = [
      expect.stringMatching(/^"\/proc\/self\/fd\/\d+", \["tshost-keeper", "[0-9a-f]{8}", "[0-9a-f]{64}"\]$/),
      '"/bin/echo", ["echo", "traced"]',
    ]
    expect(executed).toEqual([...run, ...run])
  })

  it('is a sealed file of memory of a few pages', async () => {
    const id = await daemon.dockerOk('run', '-d', 'busybox', 'sleep', '60')
    const listed = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n')
    const keeper = Number(
      listed
        .find((line) => line.includes(`tshost-keeper ${daemon.engineId} ${id}`))
        ?.trim()
        .split(' ')[0],
    )
    expect(execFileSync('readlink', [`/proc/${keeper}/exe`], { encoding: 'utf8' })).toMatch(/^\/memfd:/)
    const residentKb = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${keeper}/status`, 'utf8'))?.[1])
    expect(residentKb).toBeLessThan(100)
    await daemon.dockerOk('rm', '-f', id)
  })
})
