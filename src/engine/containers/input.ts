/** Writes to a container's input: a pipe, or a terminal's master. Neither may ever block a thread. */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf } from '../../shared/errors.ts'

const retryMs = 5

export class InputWriter {
  private readonly fd: number
  private readonly close: () => void
  private ended = false

  /**
   * @param fd not blocking
   * @param close ends the input
   */
  constructor(fd: number, close: () => void) {
    this.fd = fd
    this.close = close
  }

  /** Writes all of it, waiting while the program does not read. Resolves early when the input has ended. */
  async write(data: Uint8Array): Promise<void> {
    for (let done = 0; done < data.length && !this.ended; ) {
      try {
        done += writeSync(this.fd, data, done)
      } catch (error) {
        if (errnoOf(error) !== 'EAGAIN') {
          // The program has closed its side; what is left is for nobody.
          if (errnoOf(error) === 'EPIPE' || errnoOf(error) === 'EIO' || errnoOf(error) === 'EBADF') return
          throw error
        }
        await sleep(retryMs)
      }
    }
  }

  end(): void {
    if (this.ended) return
    this.ended = true
    this.close()
  }
}
