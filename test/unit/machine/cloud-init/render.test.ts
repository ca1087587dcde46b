import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type CloudInit, renderMetaData, renderUserData } from '../../../../src/machine/cloud-init/render.ts'
import { titled, which } from '../../../support/needs.ts'

const given: CloudInit = {
  hostname: 'm1',
  user: 'debian',
  userPublicKey: 'ssh-ed25519 AAAAuser tsmachine m1\n',
  hostKey: {
    private: '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END-----\n',
    public: 'ssh-ed25519 AAAAhost',
  },
}
const reason = which('cloud-init') ? undefined : "needs Debian's cloud-init"

describe('our cloud-config', () => {
  test('lets the user in by key alone, with sudo, and shows the host key that we made', () => {
    const text = renderUserData(given)
    expect(text).toMatch(/^#cloud-config\n/)
    expect(parse(text)).toEqual({
      hostname: 'm1',
      preserve_hostname: false,
      manage_etc_hosts: 'localhost',
      users: [
        {
          name: 'debian',
          lock_passwd: true,
          shell: '/bin/bash',
          sudo: 'ALL=(ALL) NOPASSWD:ALL',
          ssh_authorized_keys: ['ssh-ed25519 AAAAuser tsmachine m1'],
        },
      ],
      disable_root: true,
      ssh_pwauth: false,
      ssh_deletekeys: true,
      ssh_keys: { ed25519_private: given.hostKey.private, ed25519_public: 'ssh-ed25519 AAAAhost' },
      package_update: false,
      package_upgrade: false,
      package_reboot_if_required: false,
    })
  })

  test('leaves root in where root is the user', () => {
    expect(parse(renderUserData({ ...given, user: 'root' }))).toMatchObject({ disable_root: false })
  })

  test('takes values as values, whatever stands in them', () => {
    const odd = 'ssh-ed25519 AAAA x: "y" # {{user}}\'\\n\u00e9'
    const { users } = parse(renderUserData({ ...given, userPublicKey: odd })) as { users: object[] }
    expect(users).toMatchObject([{ ssh_authorized_keys: [odd] }])
  })

  test.each(['', 'Root', 'a b', '-x', 'a'.repeat(33), 'x\nroot'])('refuses the user %j', (user) => {
    expect(() => renderUserData({ ...given, user })).toThrow(expect.objectContaining({ code: 'E_OPTION' }))
  })

  test.each(['', 'a b', '-x', 'x\ny'])('refuses the host name %j', (hostname) => {
    expect(() => renderUserData({ ...given, hostname })).toThrow(
      expect.objectContaining({ code: 'E_MACHINE_NAME' }),
    )
  })

  test('is the same each time', () => {
    const userData = '#!/bin/sh\ntrue\n'
    expect(renderUserData({ ...given, userData })).toBe(renderUserData({ ...given, userData }))
  })

  test.skipIf(reason)(titled("is valid by cloud-init's own schema", reason), () => {
    for (const user of ['root', 'debian']) inFile(renderUserData({ ...given, user }), schemaCheck)
  })
})

describe("the user's user data", () => {
  test('is a second part', () => {
    const text = renderUserData({ ...given, userData: '#!/bin/sh\necho hi\n' })
    expect(text).toMatch(
      /^Content-Type: multipart\/mixed; boundary="tsmachine-[0-9a-f]{32}"\nMIME-Version: 1.0\n\n/,
    )
    expect(text).toContain('Content-Type: text/x-shellscript; charset="utf-8"')
    expect(text).toContain('\n\n#!/bin/sh\necho hi\n')
    expect(text).toContain('Merge-Type: dict(no_replace,recurse_list)+list(append)')
  })

  test('goes as base64 where mail would change it', () => {
    const text = renderUserData({ ...given, userData: '#!/bin/sh\necho \u00e9\n' })
    expect(text).toContain('Content-Transfer-Encoding: base64')
    expect(text).toContain(Buffer.from('#!/bin/sh\necho \u00e9\n').toString('base64'))
  })

  describe.skipIf(reason)(titled('merged by cloud-init itself', reason), () => {
    const added = `#cloud-config
hostname: theirs
ssh_pwauth: true
users: [{name: anna}]
ssh_keys: {ed25519_private: theirs}
packages: [curl]
write_files: [{path: /x, content: \u00e9}]
`
    const ours = { hostname: 'm1', ssh_pwauth: false, disable_root: true }

    test('has ours where both say something, lists of both, and all that only theirs says', () => {
      const { config } = mergeAsCloudInit(renderUserData({ ...given, userData: added }))
      expect(config).toMatchObject({
        ...ours,
        packages: ['curl'],
        write_files: [{ path: '/x', content: '\u00e9' }],
      })
      expect(config.users.map(({ name }) => name)).toEqual(['debian', 'anna'])
      expect(config.ssh_keys.ed25519_private).toBe(given.hostKey.private)
    })

    test('has our users alone where theirs is a multipart, whose parts replace', () => {
      const multipart = `Content-Type: multipart/mixed; boundary="b"
MIME-Version: 1.0

--b
Content-Type: text/cloud-config

${added.replace('\u00e9', 'e')}
--b
Content-Type: text/x-shellscript

#!/bin/sh
--b--
`
      const { config, types } = mergeAsCloudInit(renderUserData({ ...given, userData: multipart }))
      expect(config).toMatchObject({ ...ours, packages: ['curl'] })
      expect(config.users.map(({ name }) => name)).toEqual(['debian'])
      expect(types).toContain('text/x-shellscript')
    })

    test('keeps its type', () => {
      for (const [userData, type] of [
        ['#!/bin/sh\ntrue\n', 'text/x-shellscript'],
        ['#cloud-boothook\ntrue\n', 'text/cloud-boothook'],
      ] as const) {
        expect(mergeAsCloudInit(renderUserData({ ...given, userData })).types).toEqual([
          'text/cloud-config',
          type,
        ])
      }
    })
  })
})

test('the meta-data of a seed is YAML', () => {
  expect(parse(renderMetaData({ instanceId: 'tsmachine-1', hostname: 'no' }))).toEqual({
    'instance-id': 'tsmachine-1',
    'local-hostname': 'no',
  })
})

function inFile<T>(text: string, work: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'tsmachine-cloud-init-'))
  try {
    writeFileSync(join(folder, 'user-data'), text)
    return work(join(folder, 'user-data'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function schemaCheck(path: string): void {
  expect(execFileSync('cloud-init', ['schema', '--config-file', path], { encoding: 'utf8' })).toMatch(
    /valid/i,
  )
}

/** What cloud-init makes of user data: the types of its parts, and the cloud-config they come to. */
function mergeAsCloudInit(text: string) {
  const script = `
import json, sys, yaml
from cloudinit import helpers, user_data, util
from cloudinit.handlers.cloud_config import CloudConfigPartHandler
paths = helpers.Paths({'cloud_dir': '/nonexistent', 'run_dir': '/nonexistent'})
message = user_data.UserDataProcessor(paths).process(open(sys.argv[1], 'rb').read())
handler = CloudConfigPartHandler(paths)
types = []
for part in message.walk():
    if part.is_multipart(): continue
    types.append(part.get_content_type())
    if types[-1] == 'text/cloud-config':
        handler.handle_part({}, types[-1], part.get_filename(), util.fully_decoded_payload(part), None, part)
print(json.dumps({'types': types, 'config': handler.cloud_buf}))
`
  return inFile(text, (path) => {
    const output = execFileSync('/usr/bin/python3', ['-c', script, path], { encoding: 'utf8', stdio: 'pipe' })
    return JSON.parse(output) as {
      types: string[]
      config: { users: { name: string }[]; ssh_keys: Record<string, string> } & Record<string, unknown>
    }
  })
}
