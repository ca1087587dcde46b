import { fail } from '../errors.ts'

/** The TCP port of managers. */
export const swarmPort = 2377

/** "HOST", "HOST:PORT", "[V6]:PORT" or a bare IPv6 address -> its parts. @throws E_ADDRESS_PORT */
export function splitAddress(address: string, defaultPort = swarmPort): { host: string; port: number } {
  const match = /^\[(.+)\](?::(.*))?$/.exec(address) ?? /^([^:]*):([^:]*)$/.exec(address)
  if (!match) return { host: address, port: defaultPort }
  const [, host, text] = match as unknown as [string, string, string | undefined]
  if (text === undefined) return { host, port: defaultPort }
  // 0 is any free one, for those who listen.
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65535)) throw fail('E_ADDRESS_PORT', { address, port: text })
  return { host, port }
}

export function joinAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
