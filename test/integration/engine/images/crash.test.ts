import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/engine/images/digest.ts'
import { type BuiltImage, buildImage, oldArchive, StoreBench } from '../../../support/images.ts'
import { treeOf } from '../../../support/layers.ts'
import { missing, titled } from '../../../support/needs.ts'
import { file, makeTar, readTar } from '../../../support/tar.ts'

const reason = missing()
const kills = 12
const child = new URL('../../../support/image-churn.ts', import.meta.url).pathname

/** Many files, so that a kill lands in the middle. */
const layer = (name: string) =>
  makeTar(Array.from({ length: 100 }, (_, i) => file(`${name}/${i % 20}/${i}`, `${name} ${i}`.repeat(20))))
const base = layer('base')
const images = [
  buildImage({ tags: ['one'], layers: [base, layer('one')] }),
  buildImage({ tags: ['two'], layers: [base, layer('two'), layer('more')] }),
]

describe.skipIf(reason)(titled('an engine that is killed while images come and go', reason), () => {
  it('finds every image whole or absent, and nothing else', { timeout: 120_000 }, async () => {
    await using bench = await StoreBench.open()
    const archives = images.map((image, i) => {
      const path = join(bench.dataRoot, `archive-${i}`)
      writeFileSync(path, oldArchive([image]))
      return path
    })
    const started = performance.now()
    for (const image of images) await bench.load(oldArchive([image]))
    const roundMs = performance.now() - started
    await bench.store.close()
    let found = 0
    for (let i = 0; i < kills; i++) {
      await killDuring(bench.dataRoot, archives, Math.random() * 3 * roundMs)
      await bench.reopen()
      // As the daemon does once it knows its containers: images removed while they were loaded wait for it.
      await bench.store.collect()
      expect(bench.logs).toEqual([])
      found += checkWhole(bench)
      await bench.store.close()
    }
    expect(found).toBeGreaterThan(0)
  })
})

async function killDuring(dataRoot: string, archives: string[], afterMs: number): Promise<void> {
  const churn = spawn(process.execPath, [child, dataRoot, ...archives], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(churn.stdout, 'data')
  await sleep(afterMs)
  churn.kill('SIGKILL')
  const [code, signal] = await once(churn, 'exit')
  expect([code, signal]).toEqual([null, 'SIGKILL'])
}

/** @returns how many images there are */
function checkWhole(bench: StoreBench): number {
  const list = bench.store.list()
  const blobs = new Set<string>()
  const layers = new Set(['empty'])
  for (const { Id } of list) {
    const image = images.find((one) => one.id === Id)!
    for (const digest of [Id, ...image.blobs.map(digestOf)]) blobs.add(digest.slice(7))
    const names = bench.store.rootOf(Id).layers
    for (const [i, name] of names.entries()) {
      layers.add(name)
      expect(treeOf(join(bench.store.layersFolder, name))).toEqual(treeOfTar(image, i))
    }
  }
  const folder = join(bench.dataRoot, 'content/blobs/sha256')
  expect(readdirSync(folder).sort()).toEqual([...blobs].sort())
  for (const name of blobs) expect(digestOf(readFileSync(join(folder, name)))).toBe(`sha256:${name}`)
  expect(readdirSync(bench.store.layersFolder).sort()).toEqual([...layers].sort())
  expect(readdirSync(join(bench.dataRoot, 'content/ingest'))).toEqual([])
  expect(readdirSync(join(bench.dataRoot, 'images'))).toEqual(
    list.length > 0 || hasIndex(bench) ? ['index.json'] : [],
  )
  return list.length
}

function hasIndex(bench: StoreBench): boolean {
  return readdirSync(join(bench.dataRoot, 'images')).includes('index.json')
}

const trees = new Map<string, Record<string, string>>()

function treeOfTar(image: BuiltImage, at: number): Record<string, string> {
  const known = trees.get(image.diffIds[at]!)
  if (known) return known
  const tree: Record<string, string> = {}
  for (const entry of readTar(image.blobs[at]!)) {
    const parts = entry.name.split('/')
    for (let i = 1; i < parts.length; i++) tree[parts.slice(0, i).join('/')] = 'd'
    tree[entry.name] = entry.data.toString()
  }
  trees.set(image.diffIds[at]!, tree)
  return tree
}
