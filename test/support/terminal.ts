/** A person at a terminal: util-linux's `script` gives the command one, we type and look at the screen. */
import { type ChildProcess, spawn } from 'node:child_process'
import { waitFor } from '../../src/shared/deadline.ts'
import type { TestDaemon } from './daemon.ts'

export class Terminal {
  screen = ''
  /** The exit code of the command. */
  readonly ended: Promise<number | null>
  private readonly child: ChildProcess

  /** @param command for a shell; `docker` in it talks to the daemon */
  constructor(daemon: TestDaemon, command: string) {
    this.child = spawn('script', ['-qefc', command, '/dev/null'], {
      env: { ...process.env, DOCKER_CONFIG: daemon.folder, DOCKER_HOST: `unix://${daemon.socket}` },
    })
    this.child.stdout!.on('data', (data: Buffer) => {
      this.screen += data
    })
    this.ended = new Promise((resolve) => this.child.once('exit', resolve))
  }

  type(keys: string): void {
    this.child.stdin!.write(keys)
  }

  /** Waits until the screen has shown it. @throws WaitTimeout with the screen */
  async shows(text: string | RegExp): Promise<void> {
    await waitFor(
      `${text} on the screen`,
      () =>
        (text instanceof RegExp ? text.test(this.screen) : this.screen.includes(text)) ? true : undefined,
      { timeoutMs: 10_000, everyMs: 10 },
    ).catch((error: unknown) => {
      throw new Error(`the screen shows ${JSON.stringify(this.screen)}`, { cause: error })
    })
  }
}
