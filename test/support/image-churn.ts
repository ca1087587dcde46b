/**
 * Loads, tags and removes images without end until it is killed: `node image-churn.ts DATA-ROOT ARCHIVE...`.
 * Writes a line when it begins.
 */
import { createReadStream } from 'node:fs'
import { ImageStore } from '../../src/engine/images/store.ts'

const [dataRoot, ...archives] = process.argv.slice(2)
const silent = () => undefined
const store = await ImageStore.open({
  dataRoot: dataRoot!,
  log: { info: silent, warn: silent, error: silent },
  clock: { now: () => Date.now() },
  emit: silent,
})
process.stdout.write('begun\n')
for (let round = 0; ; round++) {
  const [first, ...others] = archives.map((path) => store.load(createReadStream(path)))
  await Promise.all([first, ...others])
  await store.tag('one', 'again', `v${round}`)
  for (const ref of round % 3 === 0 ? ['one', 'two', `again:v${round}`] : ['two']) {
    await store.remove(ref, { force: true })
  }
}
