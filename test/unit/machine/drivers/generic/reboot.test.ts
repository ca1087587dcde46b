import ssh2 from 'ssh2'
import { afterEach, describe, expect, test } from 'vitest'
import { rebootHost } from '../../../../../src/machine/drivers/generic/reboot.ts'
import { connectSsh } from '../../../../../src/machine/ssh/connect.ts'
import { makeSshKey } from '../../../../../src/machine/ssh/keys.ts'
import { startSshServer, type TestServer } from '../../../../support/machine-ssh-server.ts'

const user = makeSshKey(ssh2.utils, 'test')

describe('a reboot over SSH', () => {
  let server: TestServer
  afterEach(() => server.close())

  /** A host whose boot id changes so many questions after the reboot was asked for. */
  async function host(options: { mayReboot: boolean; after: number }) {
    let left = Number.POSITIVE_INFINITY
    const asked: string[] = []
    server = await startSshServer(user.public, (command, channel, connection) => {
      asked.push(command)
      const isReboot = command.includes('shutdown')
      if (isReboot && options.mayReboot) left = options.after
      else if (!isReboot) channel.write(left-- > 0 ? 'first\n' : 'second\n')
      channel.exit(isReboot && !options.mayReboot ? 77 : 0)
      channel.end()
      if (isReboot && options.mayReboot) setTimeout(() => connection.end(), 20)
    })
    const target = {
      host: '127.0.0.1',
      port: server.port,
      user: 'someone',
      hostKeys: [server.hostKey],
      privateKey: user.private,
      credential: 'a key',
    }
    return { asked, target, connection: await connectSsh(target, { timeoutMs: 5_000 }) }
  }

  test('is over when another boot answers, and not before', async () => {
    const { asked, target, connection } = await host({ mayReboot: true, after: 2 })
    await rebootHost(connection, target, { timeoutMs: 10_000 })
    // Once before, twice the old boot, then the new one.
    expect(asked.filter((command) => command.includes('boot_id'))).toHaveLength(4)
  })

  test('that does not happen is told', async () => {
    const { target, connection } = await host({ mayReboot: true, after: 1_000 })
    await expect(rebootHost(connection, target, { timeoutMs: 1_200 })).rejects.toThrow(
      /waited 1.2s for 127.0.0.1 to be back from its reboot/,
    )
  })

  test('is refused to who may not become root', async () => {
    const { target, connection } = await host({ mayReboot: false, after: 0 })
    await expect(rebootHost(connection, target, { timeoutMs: 5_000 })).rejects.toThrow(
      'someone may not become root on 127.0.0.1 without a password',
    )
    connection.close()
  })
})
