import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  configDigest,
  engineCommand,
  type ServiceOptions,
  serviceFiles,
} from '../../../../src/machine/bootstrap/service.ts'

const options: ServiceOptions = { init: 'systemd', bundle: 'abc', port: 2376, certificates: ['ca', 'cert'] }

describe('the engine as a service', () => {
  test('has this command line', () => {
    expect(engineCommand(options).join(' ')).toBe(
      '/opt/tsmachine/bundles/abc/node /opt/tsmachine/bundles/abc/tshost.mjs daemon' +
        ' --host unix:///var/run/docker.sock --host tcp://0.0.0.0:2376' +
        ' --tlsverify --tlscacert /etc/tshost/ca.pem --tlscert /etc/tshost/server.pem --tlskey /etc/tshost/server-key.pem' +
        ' --data-root /var/lib/tshost --exec-root /var/run/tshost --pidfile /run/tshost.pid',
    )
  })

  test('is stale when bundle, port or certificates differ', () => {
    const digests = [
      options,
      { ...options, bundle: 'abd' },
      { ...options, port: 2377 },
      { ...options, certificates: ['ca', 'cert 2'] },
      { ...options, usesOwnLibraries: true },
    ].map(configDigest)
    expect(new Set(digests).size).toBe(5)
    expect(configDigest({ ...options })).toBe(digests[0])
  })

  test.each(['systemd', 'busybox'] as const)(
    'finds libraries of the bundle only where %s’s host lacks them',
    async (init) => {
      const texts = async (more: object) =>
        (await serviceFiles({ ...options, init, ...more })).map(({ text }) => text).join('')
      expect(await texts({ usesOwnLibraries: true })).toMatch(
        /LD_LIBRARY_PATH=\/opt\/tsmachine\/bundles\/abc$/m,
      )
      expect(await texts({})).toMatch(/LD_LIBRARY_PATH=$/m)
    },
  )

  test('gets a unit under systemd: containers outlive it', async () => {
    const [unit, ...others] = await serviceFiles(options)
    expect(others).toEqual([])
    expect(unit?.path).toBe('/etc/systemd/system/tshost.service')
    for (const line of ['KillMode=process', 'Delegate=yes', 'OOMPolicy=continue', 'Restart=always']) {
      expect(unit?.text.split('\n')).toContain(line)
    }
    expect(unit?.text).not.toContain('{{')
  })

  test.skipIf(spawnSync('systemd-analyze', ['--version']).status !== 0)(
    'the unit passes systemd-analyze',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'tsmachine-unit-'))
      try {
        const [unit] = await serviceFiles(options)
        const path = join(folder, 'tshost.service')
        writeFileSync(path, unit!.text.replace(/ExecStart=\S+/, 'ExecStart=/bin/true'))
        const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
          encoding: 'utf8',
        })
        expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('tshost'))).toEqual([])
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
  )

  test('gets a start script that is good shell elsewhere', async () => {
    const [script] = await serviceFiles({ ...options, init: 'busybox' })
    expect(script).toMatchObject({ path: '/etc/tshost/start', mode: 0o755 })
    execFileSync('sh', ['-n'], { input: script!.text })
  })
})
