/**
 * Writes to a SQLite store as fast as it can and prints each revision once it is acknowledged, until it is
 * killed: `node store-writer-process.ts FILE [COUNT]`.
 */
import { writeSync } from 'node:fs'
import { openSqliteStore } from '../../src/swarm/store/sqlite.ts'

const pause = new Int32Array(new SharedArrayBuffer(4))
const [path, count = 'Infinity'] = process.argv.slice(2) as [string, string?]
const store = await openSqliteStore(path)
const writers = count === 'Infinity' ? 8 : 1
await Promise.all(
  Array.from({ length: writers }, async (_, writer) => {
    for (let i = 0; i < Number(count); i++) {
      const { revision } = await store.commit({ write: [{ put: `w${writer}/${i}`, value: 'x'.repeat(200) }] })
      // Straight to the descriptor: what was printed was acknowledged before the kill.
      say(`${revision} w${writer}/${i}\n`)
    }
  }),
)
await store.close()

/** Waits where the reader is slow: its end of the pipe does not block ours. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, line)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(pause, 0, 0, 1)
    }
  }
}
