/**
 * A node's membership on disk: who it is, in which swarm, with which certificate.
 */
import { rm } from 'node:fs/promises'
import { messageOf } from '../shared/errors.ts'
import { makePrivateFolder, readIfThere, sweepTemporaries, writeFileAtomic } from '../shared/files.ts'
import { fail } from './errors.ts'
import type { SwarmPaths } from './paths.ts'
import type { NodeRole } from './store/objects/node.ts'
import type { Certificates } from './wire/server-loop.ts'

const formatVersion = 1

export interface Membership {
  nodeId: string
  clusterId: string
  role: NodeRole
  /** HOST:PORT of the managers last heard of. */
  managers: string[]
  /** HOST:PORT on which a manager listens. */
  listenAddr: string
  /** Host under which others reach this node; what the stream shows when left out. */
  advertiseAddr?: string
  dataPathAddr?: string
}

/** @throws E_STATE_UNREADABLE */
export async function readMembership(
  paths: SwarmPaths,
): Promise<{ membership: Membership; certificates: Certificates } | undefined> {
  await sweepTemporaries(paths.folder)
  const text = await readIfThere(paths.node)
  if (text === undefined) return undefined
  try {
    const { version, ...membership } = JSON.parse(text) as Membership & { version: number }
    if (version !== formatVersion)
      throw new Error(`it has version ${version}, this program knows ${formatVersion}`)
    const [identity, ca] = await Promise.all([readIfThere(paths.identity), readIfThere(paths.root)])
    if (identity === undefined || ca === undefined) throw new Error('the certificate beside it is missing')
    return { membership, certificates: { ...splitIdentity(identity), ca } }
  } catch (error) {
    throw fail('E_STATE_UNREADABLE', { path: paths.node, why: messageOf(error) }, error)
  }
}

export async function writeCertificates(paths: SwarmPaths, { cert, key, ca }: Certificates): Promise<void> {
  await makePrivateFolder(paths.folder)
  await writeFileAtomic(paths.root, ca)
  await writeFileAtomic(paths.identity, `${cert}${key}`)
}

export async function writeMembership(paths: SwarmPaths, membership: Membership): Promise<void> {
  await makePrivateFolder(paths.folder)
  await writeFileAtomic(paths.node, `${JSON.stringify({ version: formatVersion, ...membership }, null, 2)}\n`)
}

/** Ends membership: the mark first, so that a crash between leaves nothing that looks like a member. */
export async function removeMembership(paths: SwarmPaths): Promise<void> {
  await rm(paths.node, { force: true })
  for (const path of [paths.identity, paths.root, paths.agent, paths.manager]) {
    await rm(path, { recursive: true, force: true })
  }
}

function splitIdentity(text: string): { cert: string; key: string } {
  const at = text.indexOf('-----BEGIN PRIVATE KEY-----')
  if (at < 0) throw new Error('the private key is missing')
  return { cert: text.slice(0, at), key: text.slice(at) }
}
