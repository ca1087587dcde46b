import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type ImageArchiveOptions,
  type LayerFile,
  makeImageArchive,
} from '../../../../src/engine/images/archive.ts'
import { filesOfFolder, filesOfProgram } from '../../../../src/engine/images/archive-sources.ts'
import { digestOf } from '../../../../src/engine/images/digest.ts'
import { readTar } from '../../../support/tar.ts'

let work: string
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'tsmachine-archive-'))
})
afterAll(() => rmSync(work, { recursive: true }))

const make = (layers: LayerFile[][], rest: Partial<ImageArchiveOptions> = {}) =>
  buffer(
    makeImageArchive({ layers, config: { Cmd: ['/bin/sh'] }, tags: ['x:1'], architecture: 'amd64', ...rest }),
  )

describe('makeImageArchive', () => {
  it('makes what docker load reads, with the folders on the way and the right digests', async () => {
    writeFileSync(join(work, 'source'), 'from this machine')
    chmodSync(join(work, 'source'), 0o711)
    const items = readTar(
      await make([
        [
          { type: 'file', path: '/usr/bin/x', source: join(work, 'source') },
          { type: 'link', path: 'a-link', target: '/usr/bin/x' },
          { type: 'symlink', path: 'bin', target: 'usr/bin' },
          { type: 'file', path: 'etc/ü', content: 'text', mode: 0o600, uid: 5, gid: 6 },
          { type: 'folder', path: 'tmp', mode: 0o1777 },
        ],
        [],
      ]),
    )
    const byName = new Map(items.map((item) => [item.name, item.data]))
    const [image] = JSON.parse(byName.get('manifest.json')!.toString())
    expect(image.RepoTags).toEqual(['x:1'])
    const config = byName.get(image.Config)!
    expect(`sha256:${image.Config.replace('.json', '')}`).toBe(digestOf(config))
    const { rootfs, os, architecture, history } = JSON.parse(config.toString())
    expect([os, architecture, history.length]).toEqual(['linux', 'amd64', 2])
    expect(rootfs.diff_ids).toEqual(image.Layers.map((name: string) => digestOf(byName.get(name)!)))
    const layer = readTar(byName.get(image.Layers[0])!)
    expect(
      layer.map((entry) => [entry.type, Buffer.from(entry.name, 'latin1').toString(), entry.mode]),
    ).toEqual([
      ['symlink', 'bin', 0o777],
      ['folder', 'etc/', 0o755],
      ['file', 'etc/ü', 0o600],
      ['folder', 'tmp/', 0o1777],
      ['folder', 'usr/', 0o755],
      ['folder', 'usr/bin/', 0o755],
      ['file', 'usr/bin/x', 0o755],
      ['link', 'a-link', 0o644],
    ])
    expect(layer.find((e) => e.name === 'usr/bin/x')!.data.toString()).toBe('from this machine')
  })

  it('gives the same bytes for the same files, in whatever order they are listed', async () => {
    const files: LayerFile[] = ['b', 'a', 'c/d'].map((path) => ({ type: 'file', path, content: path }))
    const one = await make([files])
    expect((await make([files.toReversed()])).equals(one)).toBe(true)
    const later = await make([files], { created: '2026-01-01T00:00:00Z' })
    expect(later.equals(one)).toBe(false)
    expect(readTar(readTar(later)[0]!.data)[0]!.mtimeNs).toBe(1_767_225_600_000_000_000n)
  })

  it.each([
    [
      [{ type: 'file', path: 'a', source: '/no/such/file' }],
      'cannot put /no/such/file into an image: it is not there',
    ],
    [[{ type: 'file', path: 'a', source: '/' }], 'it is no regular file'],
    [[{ type: 'file', path: '../a', content: '' }], 'it is no path inside an image'],
    [[{ type: 'folder', path: '/' }], 'it is no path inside an image'],
    [
      [
        { type: 'folder', path: 'a' },
        { type: 'folder', path: '/a/' },
      ],
      'it is listed twice',
    ],
  ] as [LayerFile[], string][])('refuses %j: %s', async (files, message) => {
    await expect(make([files])).rejects.toThrow(message)
  })

  it('tells of a file that changes while it is read', async () => {
    const path = join(work, 'growing')
    writeFileSync(path, 'x'.repeat(3_000_000))
    const archive = makeImageArchive({
      layers: [[{ type: 'file', path: 'a', source: path }]],
      config: {},
      tags: [],
    })
    await archive.next()
    writeFileSync(path, 'short')
    await expect(buffer(archive)).rejects.toThrow('it changed while it was read')
  })

  it('takes whole folders, and programs with their libraries', async () => {
    mkdirSync(join(work, 'tree/sub'), { recursive: true })
    writeFileSync(join(work, 'tree/sub/file'), 'x')
    symlinkSync('sub/file', join(work, 'tree/link'))
    expect(filesOfFolder(join(work, 'tree'), '/app')).toEqual([
      { type: 'symlink', path: '/app/link', target: 'sub/file' },
      { type: 'folder', path: '/app/sub' },
      { type: 'file', path: '/app/sub/file', source: join(work, 'tree/sub/file') },
    ])
    const files = await filesOfProgram(process.execPath, '/usr/bin/node')
    expect(files[0]).toMatchObject({ path: '/usr/bin/node', source: process.execPath })
    expect(files.some((f) => /\/libc\.so\.6$/.test(f.path))).toBe(true)
    expect(files.some((f) => /\/ld-linux-[^/]*$/.test(f.path))).toBe(true)
    writeFileSync(join(work, 'script'), '#!/bin/sh\n')
    expect(await filesOfProgram(join(work, 'script'), '/x')).toHaveLength(1)
  })
})
