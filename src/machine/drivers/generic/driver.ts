/**
 * The generic driver: a host that is there already. Nothing is made and nothing taken away; its key is pinned.
 */
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fail } from '../../errors.ts'
import type { DriverOptions, SshAddress } from '../../record.ts'
import { connectSsh } from '../../ssh/connect.ts'
import { bareKey, fingerprint } from '../../ssh/keys.ts'
import { knownHostKeys } from '../../ssh/known-hosts.ts'
import { sshTarget } from '../../ssh/target.ts'
import type { Driver } from '../driver.ts'
import { rebootHost } from './reboot.ts'

const connectMs = 15_000

export const genericDriver: Driver = {
  check: async (options) => void keyPath(options),
  steps: [
    {
      id: 'generic.pin',
      describe: ({ record }) => `Find ${record.options['ip-address']} and its host key`,
      probe: async ({ record }) => record.ssh !== undefined,
      do: async ({ record }, { signal, progress }) => {
        const { options } = record
        const host = String(options['ip-address'])
        const address: SshAddress = {
          host,
          port: Number(options['ssh-port']),
          user: String(options['ssh-user']),
          keyPath: keyPath(options),
          hostKeys: await expectedKeys(options),
        }
        const connection = await connectSsh(await sshTarget(address), { timeoutMs: connectMs, signal })
        connection.close()
        if (address.hostKeys.length === 0)
          progress(`trusting the key it showed: ${fingerprint(connection.hostKey)}`)
        record.ssh = { ...address, hostKeys: [bareKey(connection.hostKey)] }
        record.engine = { host, port: Number(options['engine-port']) }
      },
    },
  ],
  ownsHost: false,
  observe: async ({ record }) => {
    if (!record.ssh) return 'Stopped'
    return (await answers(record.ssh)) ? 'Running' : 'Stopped'
  },
  power: {
    restart: async ({ ssh, record, waitMs }, { signal }) => {
      await rebootHost(await ssh(), await sshTarget(record.ssh!), { timeoutMs: waitMs, signal })
    },
  },
}

/** The key to log in with: the one named, or the user's own; undefined means the agent's. */
function keyPath(options: DriverOptions): string | undefined {
  const named = options['ssh-key'] as string | undefined
  if (named !== undefined) {
    const path = resolve(named.replace(/^~(?=\/)/, homedir()))
    if (!existsSync(path)) throw fail('E_SSH_KEY', { path, why: 'there is no such file' })
    return path
  }
  if (process.env.SSH_AUTH_SOCK) return undefined
  const own = ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(homedir(), '.ssh', name))
  const found = own.find((path) => existsSync(path))
  if (!found)
    throw fail('E_OPTION', { option: '--generic-ssh-key', why: 'no key in ~/.ssh and no agent; name one' })
  return found
}

async function expectedKeys(options: DriverOptions): Promise<string[]> {
  const given = options['ssh-host-key'] as string | undefined
  if (given === undefined) return knownHostKeys(String(options['ip-address']), Number(options['ssh-port']))
  if (!/^\S+ [A-Za-z0-9+/=]+/.test(given)) {
    throw fail('E_OPTION', {
      option: '--generic-ssh-host-key',
      why: 'it must look like "ssh-ed25519 AAAA..."',
    })
  }
  return [bareKey(given)]
}

/** Whether something listens on the SSH port. */
function answers({ host, port }: SshAddress): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: 5_000 })
    const end = (result: boolean) => {
      socket.destroy()
      done(result)
    }
    socket
      .once('connect', () => end(true))
      .once('error', () => end(false))
      .once('timeout', () => end(false))
  })
}
