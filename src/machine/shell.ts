/**
 * `tsmachine ssh`: a login shell for a person, or one command with its own input, output and exit code.
 */
import type { PseudoTtyOptions } from 'ssh2'
import { type App, MachineContext } from './context.ts'
import { requireRunning } from './power.ts'
import { quoteArgs } from './ssh/quote.ts'

export interface Streams {
  stdin: NodeJS.ReadStream
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
}

/**
 * Runs `argv` on the machine, or a login shell where it is empty.
 * One argument is a command line for the remote shell, as with ssh; several are quoted one by one.
 * @returns the command's exit code; 128 and the signal's number when one ended it
 */
export async function openShell(
  app: App,
  name: string,
  argv: readonly string[],
  { stdin, stdout, stderr }: Streams,
): Promise<number> {
  const record = await requireRunning(app, name)
  const context = await MachineContext.open({ ...app, waitMs: 30_000 }, record)
  try {
    const connection = await context.ssh()
    const command = argv.length === 0 ? undefined : argv.length === 1 ? argv[0] : quoteArgs(argv)
    const wantsTerminal = command === undefined && stdin.isTTY === true && stdout.isTTY === true
    const { channel, exit } = await connection.start(command, wantsTerminal ? terminalOf(stdout) : undefined)
    const resize = () => channel.setWindow(stdout.rows, stdout.columns, 0, 0)
    if (wantsTerminal) {
      stdin.setRawMode(true)
      stdout.on('resize', resize)
    }
    try {
      stdin.pipe(channel)
      channel.pipe(stdout, { end: false })
      channel.stderr.pipe(stderr, { end: false })
      return await exit
    } finally {
      if (wantsTerminal) stdin.setRawMode(false)
      stdout.off('resize', resize)
      stdin.unpipe(channel)
      // Reading from stdin keeps the process alive.
      stdin.pause()
      stdin.unref?.()
    }
  } finally {
    await context.disconnect()
  }
}

function terminalOf(stdout: NodeJS.WriteStream): PseudoTtyOptions {
  return { term: process.env.TERM ?? 'xterm', rows: stdout.rows, cols: stdout.columns }
}
