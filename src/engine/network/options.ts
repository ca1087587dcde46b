/** The `com.docker.network.*` options of a network, checked and read. Pure. */
import { longestLinkName } from '../kernel/netlink-links.ts'
import { fail } from './errors.ts'
import { parseIpv4 } from './ipv4.ts'

export const optionNames = {
  name: 'com.docker.network.bridge.name',
  defaultBridge: 'com.docker.network.bridge.default_bridge',
  icc: 'com.docker.network.bridge.enable_icc',
  masquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  hostBinding: 'com.docker.network.bridge.host_binding_ipv4',
  mtu: 'com.docker.network.driver.mtu',
  interfacePrefix: 'com.docker.network.container_iface_prefix',
} as const

export interface BridgeOptions {
  /** Of the device; the engine chooses when left out. */
  name?: string
  /** Whether containers on the network reach each other. */
  icc: boolean
  /** Whether what leaves the network gets the host's address. */
  masquerade: boolean
  /** Where ports are published that name no host address. */
  hostBinding: string
  /** Undefined: 1500. */
  mtu?: number
  /** "eth" of "eth0". */
  interfacePrefix: string
}

const smallestMtu = 68 // RFC 791
const largestMtu = 65535

/** @throws E_NETWORK_OPTION. Options that mean nothing here are kept and passed over, as Docker does. */
export function bridgeOptionsOf(options: Readonly<Record<string, string>>): BridgeOptions {
  const name = options[optionNames.name]
  if (name !== undefined && !isDeviceName(name)) {
    throw invalid(
      optionNames.name,
      `${JSON.stringify(name)} is no device name of at most ${longestLinkName} bytes`,
    )
  }
  const hostBinding = options[optionNames.hostBinding] ?? '0.0.0.0'
  if (parseIpv4(hostBinding) === undefined) {
    throw invalid(optionNames.hostBinding, `${JSON.stringify(hostBinding)} is no IPv4 address`)
  }
  const interfacePrefix = options[optionNames.interfacePrefix] ?? 'eth'
  if (!isDeviceName(`${interfacePrefix}99`)) {
    throw invalid(optionNames.interfacePrefix, `${JSON.stringify(interfacePrefix)} can't begin a device name`)
  }
  return {
    ...(name !== undefined && { name }),
    icc: booleanOf(options, optionNames.icc, true),
    masquerade: booleanOf(options, optionNames.masquerade, true),
    hostBinding,
    mtu: mtuOf(options[optionNames.mtu]),
    interfacePrefix,
  }
}

/** What devices can be called: dev_valid_name of the kernel, and nothing that nft would have to quote. */
function isDeviceName(name: string): boolean {
  return name.length <= longestLinkName && /^[A-Za-z0-9_.-]+$/.test(name) && name !== '.' && name !== '..'
}

function mtuOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '' || text === '0') return undefined
  const mtu = Number(text)
  if (!Number.isInteger(mtu) || mtu < smallestMtu || mtu > largestMtu) {
    throw invalid(
      optionNames.mtu,
      `${JSON.stringify(text)} is no number from ${smallestMtu} to ${largestMtu}`,
    )
  }
  return mtu
}

/** As Go's ParseBool, which Docker uses. */
function booleanOf(options: Readonly<Record<string, string>>, name: string, preset: boolean): boolean {
  const text = options[name]
  if (text === undefined || text === '') return preset
  if (/^(1|t|true)$/i.test(text)) return true
  if (/^(0|f|false)$/i.test(text)) return false
  throw invalid(name, `${JSON.stringify(text)} is neither true nor false`)
}

function invalid(option: string, problem: string): Error {
  return fail('E_NETWORK_OPTION', { option, problem })
}
