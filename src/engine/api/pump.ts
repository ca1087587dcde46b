/** Moves bytes between a client's connection and a process, at the pace of the slower. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { InputWriter } from '../containers/input.ts'
import type { DetachScanner } from './detach-keys.ts'

/** Writes and waits until there is room. @returns false once the client is gone */
export async function writeTo(socket: Duplex, data: Buffer): Promise<boolean> {
  if (socket.destroyed || socket.writableEnded) return false
  if (socket.write(data)) return true
  await Promise.race([once(socket, 'drain'), once(socket, 'close')])
  return !socket.destroyed
}

export interface InputOptions {
  socket: Duplex
  /** Where input goes; waits for a container that has not started yet. Undefined where there never will be any. */
  input: () => Promise<InputWriter | undefined>
  scanner?: DetachScanner
  onDetach: () => void
  /** The client has sent all it had. */
  onEnd: (input: InputWriter | undefined) => void
}

/** Reads the connection until its end and passes everything on. Never rejects. */
export async function pumpInput(options: InputOptions): Promise<void> {
  const { socket, scanner } = options
  let input: InputWriter | undefined
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      input ??= await options.input()
      const { pass, detach } = scanner?.scan(chunk as Buffer) ?? { pass: chunk as Buffer, detach: false }
      if (input && pass.length > 0) await input.write(pass)
      if (detach) {
        options.onDetach()
        return
      }
    }
  } catch (error) {
    // A connection that breaks is one that ended; what the program does about its input is the same.
    if (!socket.destroyed) socket.destroy(error as Error)
  }
  input ??= await options.input()
  options.onEnd(input)
}
