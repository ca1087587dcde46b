/** The TCP port of managers. */
export const swarmPort = 2377

/** "HOST", "HOST:PORT", "[V6]:PORT" or a bare IPv6 address -> its parts. */
export function splitAddress(address: string, defaultPort = swarmPort): { host: string; port: number } {
  const bracketed = /^\[(.+)\](?::(\d+))?$/.exec(address)
  if (bracketed) return { host: bracketed[1]!, port: Number(bracketed[2] ?? defaultPort) }
  const parts = address.split(':')
  if (parts.length === 2) return { host: parts[0]!, port: Number(parts[1]) }
  return { host: address, port: defaultPort }
}

export function joinAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
