import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type DockerContext,
  isContextRight,
  removeContext,
  writeContext,
} from '../../../src/machine/docker-context.ts'

let folder = ''
const before = process.env.DOCKER_CONFIG
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmachine-context-'))
  process.env.DOCKER_CONFIG = folder
})
afterEach(() => {
  if (before === undefined) delete process.env.DOCKER_CONFIG
  else process.env.DOCKER_CONFIG = before
  rmSync(folder, { recursive: true, force: true })
})

const context: DockerContext = {
  name: 'm1',
  machineId: '0123456789ab',
  url: 'tcp://192.168.200.2:2376',
  credentials: { ca: 'CA', cert: 'CERT', key: 'KEY' },
}
const id = createHash('sha256').update('m1').digest('hex')

describe('the docker context of a machine', () => {
  test('lies where the docker command looks, with a key for its owner only', async () => {
    expect(await isContextRight(context)).toBe(false)
    expect(await writeContext(context)).toBe(true)
    expect(await isContextRight(context)).toBe(true)
    const meta = JSON.parse(readFileSync(join(folder, 'contexts/meta', id, 'meta.json'), 'utf8'))
    expect(meta).toMatchObject({
      Name: 'm1',
      Endpoints: { docker: { Host: context.url, SkipTLSVerify: false } },
    })
    const key = join(folder, 'contexts/tls', id, 'docker/key.pem')
    expect(readFileSync(key, 'utf8')).toBe('KEY')
    expect(statSync(key).mode & 0o777).toBe(0o600)
  })

  test('is renewed when the machine has another address', async () => {
    await writeContext(context)
    const moved = { ...context, url: 'tcp://192.168.200.3:2376' }
    expect(await isContextRight(moved)).toBe(false)
    expect(await writeContext(moved)).toBe(true)
    expect(await isContextRight(moved)).toBe(true)
  })

  test('is removed with the machine, twice without complaint', async () => {
    await writeContext(context)
    await removeContext('m1', context.machineId)
    await removeContext('m1', context.machineId)
    expect(existsSync(join(folder, 'contexts/meta', id))).toBe(false)
    expect(existsSync(join(folder, 'contexts/tls', id))).toBe(false)
  })

  for (const [title, text] of [
    ['of somebody else', '{"Name":"m1","Metadata":{},"Endpoints":{}}'],
    [
      'of another machine with that name',
      '{"Name":"m1","Metadata":{"tsmachine.id":"ffffffffffff"},"Endpoints":{}}',
    ],
    ['that can not be read', '{'],
  ] as const) {
    test(`${title} stays as it is`, async () => {
      const path = join(folder, 'contexts/meta', id, 'meta.json')
      mkdirSync(join(folder, 'contexts/meta', id), { recursive: true })
      writeFileSync(path, text)
      expect(await writeContext(context)).toBe(false)
      await removeContext('m1', context.machineId)
      expect(readFileSync(path, 'utf8')).toBe(text)
    })
  }
})
