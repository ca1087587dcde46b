/**
 * An SSH server in this process, for tests of how the client takes what servers do.
 */
import type { AddressInfo } from 'node:net'
import ssh2, { type Connection, type ServerChannel } from 'ssh2'

export interface TestServer {
  port: number
  /** Its public key line. */
  hostKey: string
  /** Cuts every connection. */
  cut: () => void
  close: () => Promise<void>
}

/**
 * @param allowed the public key line that may log in
 * @param run what a command does, with the command line that arrived
 */
export async function startSshServer(
  allowed: string,
  run: (command: string, channel: ServerChannel, connection: Connection) => void,
): Promise<TestServer> {
  const key = ssh2.utils.generateKeyPairSync('ed25519')
  const connections = new Set<Connection>()
  const server = new ssh2.Server({ hostKeys: [key.private] }, (connection) => {
    connections.add(connection)
    connection.on('error', () => connections.delete(connection))
    connection.on('close', () => connections.delete(connection))
    connection.on('authentication', (request) => {
      const known =
        request.method === 'publickey' && request.key.data.toString('base64') === allowed.split(' ')[1]
      if (known) request.accept()
      else request.reject(['publickey'])
    })
    connection.on('session', (accept) => {
      accept().on('exec', (acceptExec, _, { command }) => run(command, acceptExec(), connection))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    hostKey: key.public,
    cut: () => {
      for (const connection of connections) connection.end()
    },
    close: () =>
      new Promise((resolve) => {
        for (const connection of connections) connection.end()
        server.close(() => resolve())
      }),
  }
}
