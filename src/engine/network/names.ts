/**
 * Names of all that an engine makes in the kernel. Each holds the engine's id, so that several engines on one
 * machine don't meet, and a sweep knows what was its own.
 */
import { createHash } from 'node:crypto'

/** Three letters, the engine's eight digits, and these: the 15 that a device's name may have (netdevice(7)). */
const suffixDigits = 4

export interface Names {
  /** The nftables table, of the host and inside containers. */
  table: string
  /** The device of the network `bridge`. */
  defaultBridge: string
  /** A network's bridge. */
  bridge: (networkId: string, taken: (name: string) => boolean) => string
  /** The bridge of a network of the swarm, by its VXLAN network identifier, which no other network has. */
  overlayBridge: (vni: number) => string
  /** Its VXLAN device. */
  vxlan: (vni: number) => string
  /** The host's end of an endpoint's pair of devices. */
  endpoint: (endpointId: string, taken: (name: string) => boolean) => string
  /** Whether a device is one of this engine's, by its name alone. */
  isOwn: (deviceName: string) => boolean
}

/** @param engineId eight hex digits @throws RangeError */
export function namesOf(engineId: string): Names {
  if (!/^[0-9a-f]{8}$/.test(engineId))
    throw new RangeError(`an engine's id has eight hex digits: ${engineId}`)
  const prefixes = {
    bridge: `tsb${engineId}`,
    overlayBridge: `tso${engineId}`,
    vxlan: `tsx${engineId}`,
    endpoint: `tse${engineId}`,
  }
  const named = (prefix: string) => (id: string, taken: (name: string) => boolean) =>
    freeName(prefix, id, taken)
  return {
    table: `tshost_${engineId}`,
    defaultBridge: prefixes.bridge,
    bridge: named(prefixes.bridge),
    overlayBridge: (vni) => `${prefixes.overlayBridge}${digitsOf(vni)}`,
    vxlan: (vni) => `${prefixes.vxlan}${digitsOf(vni)}`,
    endpoint: named(prefixes.endpoint),
    isOwn: (name) => Object.values(prefixes).some((prefix) => name.startsWith(prefix)),
  }
}

/** Prefix and four digits of base 36 that follow from the id; from the next hash where that name is taken. */
function freeName(prefix: string, id: string, taken: (name: string) => boolean): string {
  for (let round = 0; ; round++) {
    const hash = createHash('sha256').update(`${id}/${round}`).digest().readUInt32BE()
    const name = `${prefix}${digitsOf(hash)}`
    if (!taken(name)) return name
  }
}

/** As many digits as a device's name has room for after prefix and engine. */
function digitsOf(value: number): string {
  return (value % 36 ** suffixDigits).toString(36).padStart(suffixDigits, '0')
}

/** A stable local hardware address from a text: 02:42 and four bytes of its hash. */
export function macFromText(text: string): string {
  const hash = createHash('sha256').update(text).digest()
  return `02:42:${[...hash.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`
}
