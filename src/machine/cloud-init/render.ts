/**
 * What a new host is told at its first boot: who may log in, its own key pair, its name, and whatever the user
 * wants besides. Pure: the same input gives the same text, byte for byte, so that a cloud call that is repeated
 * with its client token is the same call.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Document, isScalar, parseDocument, stringify, visit } from 'yaml'
import { fail } from '../errors.ts'
import type { SshKeyPair } from '../ssh/keys.ts'
import { joinParts } from './multipart.ts'
import { checkUserData } from './user-data.ts'

export interface CloudInit {
  /** The host's name. */
  hostname: string
  /** Who we log in as; made where the image has no such user, with passwordless sudo. */
  user: string
  /** As authorized_keys has it. */
  userPublicKey: string
  /** The pair that the host proves itself with. */
  hostKey: SshKeyPair
  /** The user's own user data: a cloud-config, a shell script, or another kind that its first line names. */
  userData?: string
  /** Further keys of our part, such as mounts. */
  more?: Record<string, unknown>
}

/**
 * The user data: a cloud-config of ours, and a MIME multipart of ours and the user's where there is the user's.
 * Where both say something, ours holds, since without it nobody gets in; lists have ours first, then the user's.
 * @throws E_USER_DATA where the user's own can't be what cloud-init takes, E_OPTION for a bad user or name
 * @see https://cloudinit.readthedocs.io/en/latest/reference/merging.html
 */
export function renderUserData(given: CloudInit): string {
  const ours = `#cloud-config\n${fillTemplate('user-data.yaml', valuesOf(given), given.more)}`
  if (given.userData === undefined) return ours
  const theirs = checkUserData(given.userData)
  const own = { type: 'text/cloud-config', name: 'tsmachine.yaml', text: ours }
  const added = { type: theirs.type, name: 'user-data', text: theirs.text }
  // What has parts of its own says itself how they are merged, so ours comes last there and replaces.
  if (theirs.hasParts) return joinParts([added, own])
  return joinParts([own, { ...added, merge: 'dict(no_replace,recurse_list)+list(append)' }])
}

/** The meta-data of a NoCloud seed. A new `instanceId` is what makes cloud-init take a boot for the first one. */
export function renderMetaData({ instanceId, hostname }: { instanceId: string; hostname: string }): string {
  return stringify({ 'instance-id': instanceId, 'local-hostname': hostname })
}

/** An interface of the guest, found by its hardware address. */
export interface GuestInterface {
  mac: string
  /** With the network's size; by DHCP where it is left out. */
  address?: string
}

/**
 * The network-config of a NoCloud seed, which is needed from the second interface on.
 * @see https://cloudinit.readthedocs.io/en/latest/reference/network-config-format-v2.html
 */
export function renderNetworkConfig(interfaces: readonly GuestInterface[]): string {
  const entries = interfaces.map(({ mac, address }, i) => {
    const how = address === undefined ? { dhcp4: true } : { addresses: [address] }
    return [`net${i}`, { match: { macaddress: mac }, ...how }] as const
  })
  return stringify({ version: 2, ethernets: Object.fromEntries(entries) })
}

type Value = string | boolean

function valuesOf({ hostname, user, userPublicKey, hostKey }: CloudInit): Record<string, Value> {
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) {
    throw fail('E_OPTION', { option: 'the SSH user', why: `"${user}" can't be a user's name on a host` })
  }
  if (!/^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/.test(hostname)) {
    throw fail('E_MACHINE_NAME', { name: hostname })
  }
  return {
    hostname,
    user,
    userPublicKey: userPublicKey.trim(),
    disableRoot: user !== 'root',
    hostKeyPrivate: `${hostKey.private.trim()}\n`,
    hostKeyPublic: hostKey.public.trim(),
  }
}

/** The template as YAML, each scalar of the form {{name}} replaced by the value of that name. */
function fillTemplate(file: string, values: Record<string, Value>, more: object = {}): string {
  const template = parseDocument(readFileSync(join(import.meta.dirname, '../../../cloud-init', file), 'utf8'))
  visit(template, {
    Scalar: (_, node) => {
      const name = typeof node.value === 'string' && /^\{\{(\w+)\}\}$/.exec(node.value)?.[1]
      if (!name) return undefined
      const value = new Document(values[name]).contents
      return isScalar(value) ? value : undefined
    },
  })
  return stringify({ ...template.toJS(), ...more }, { lineWidth: 0 })
}
