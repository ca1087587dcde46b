/**
 * Names for machines whose makers gave none.
 */
import { randomInt } from 'node:crypto'
import type { Store } from './store/store.ts'

const qualities =
  'able agile amber bold brave brisk calm clear crisp deft eager early fair fleet fond free glad golden grand green happy hardy keen kind light lively lucky merry mild neat noble plain proud quick quiet ready sharp silver steady sunny swift tidy warm wise'
const things =
  'acorn alder anchor arch ash badger barn beacon beech birch brook cedar clover cove crane dune elm falcon fern finch forge fox grove harbor hare hawk heron hill holly iris island jay lark maple marsh meadow mill oak orchard otter owl pine pond quarry raven reed ridge robin rowan sage seal spruce stone swan thistle tower vale willow wren yard'

/** Two words that no machine of this storage has yet. */
export async function makeUpName(store: Store): Promise<string> {
  const taken = new Set((await store.list()).map(({ name }) => name))
  for (;;) {
    const name = `${pick(qualities)}-${pick(things)}`
    if (!taken.has(name)) return name
    if (taken.size > 1000) return `${name}-${randomInt(1_000_000)}`
  }
}

function pick(words: string): string {
  const list = words.split(' ')
  return list[randomInt(list.length)]!
}
