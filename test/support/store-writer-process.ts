/**
 * Writes to a SQLite store as fast as it can and prints each revision once it is acknowledged, until it is
 * killed: `node store-writer-process.ts FILE [COUNT]`.
 */
import { writeSync } from 'node:fs'
import { openSqliteStore } from '../../src/swarm/store/sqlite.ts'

const [path, count = 'Infinity'] = process.argv.slice(2) as [string, string?]
const store = await openSqliteStore(path)
const writers = count === 'Infinity' ? 8 : 1
await Promise.all(
  Array.from({ length: writers }, async (_, writer) => {
    for (let i = 0; i < Number(count); i++) {
      const { revision } = await store.commit({ write: [{ put: `w${writer}/${i}`, value: 'x'.repeat(200) }] })
      // Straight to the descriptor: what was printed was acknowledged before the kill.
      writeSync(1, `${revision} w${writer}/${i}\n`)
    }
  }),
)
await store.close()
