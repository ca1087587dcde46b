/**
 * Certificates of nodes. They name the node in CN, its role in OU and the swarm in O; both sides of every
 * stream show one. Names are chosen here, never taken from the request.
 */
import { createPublicKey, X509Certificate } from 'node:crypto'
import { issueCertificate, type KeyPair, makeCa, signRequest } from '../../shared/certificates.ts'
import { messageOf } from '../../shared/errors.ts'
import { fail } from '../errors.ts'
import type { NodeRole, TlsInfo } from '../store/objects/node.ts'

const dayMs = 24 * 60 * 60 * 1000
/** Swarm's lives: 20 years for the root, 90 days for a node. */
const rootLifeMs = 20 * 365 * dayMs
export const nodeLifeMs = 90 * dayMs

/** The name under which every manager can be asked for: workers check it, whatever the address they dialled. */
export const managerName = 'swarm-manager'

export interface Identity {
  nodeId: string
  clusterId: string
  role: NodeRole
}

export function makeRoot(): Promise<KeyPair> {
  return makeCa({ commonName: 'swarm-ca', lifeMs: rootLifeMs })
}

/** A key and a certificate made here: for the first manager, which has nobody to ask. */
export function issueIdentity(root: KeyPair, identity: Identity, lifeMs = nodeLifeMs): Promise<KeyPair> {
  return issueCertificate(root, namesOf(identity, lifeMs))
}

/** Signs a node's own key. @throws E_REQUEST_MALFORMED */
export async function signIdentity(
  root: KeyPair,
  request: string,
  identity: Identity,
  lifeMs = nodeLifeMs,
): Promise<string> {
  try {
    return await signRequest(root, request, namesOf(identity, lifeMs))
  } catch (error) {
    throw fail('E_REQUEST_MALFORMED', { why: messageOf(error) }, error)
  }
}

/** Who a certificate (PEM or DER) says its holder is; undefined when it isn't a node's. */
export function identityOf(cert: string | Buffer): Identity | undefined {
  const fields = new Map(
    new X509Certificate(cert).subject.split('\n').map((line): [string, string] => {
      const at = line.indexOf('=')
      return [line.slice(0, at), line.slice(at + 1)]
    }),
  )
  const [nodeId, clusterId, unit] = [fields.get('CN'), fields.get('O'), fields.get('OU')]
  const role = unit === 'swarm-manager' ? 'manager' : unit === 'swarm-worker' ? 'worker' : undefined
  return nodeId && clusterId && role ? { nodeId, clusterId, role } : undefined
}

/** What GET /swarm and node descriptions say of the root certificate. */
export function tlsInfo(rootCert: string): TlsInfo {
  const cert = new X509Certificate(rootCert)
  return {
    TrustRoot: rootCert,
    CertIssuerSubject: Buffer.from(commonName(cert.subject)).toString('base64'),
    CertIssuerPublicKey: createPublicKey(cert.publicKey.export({ type: 'spki', format: 'pem' }))
      .export({ type: 'spki', format: 'der' })
      .toString('base64'),
  }
}

/** A DER Name with one common name, which is what our roots have. */
function commonName(subject: string): Uint8Array {
  const text = Buffer.from(/CN=(.*)/.exec(subject)?.[1] ?? '')
  const value = der(0x0c, text)
  const type = Buffer.from([0x06, 0x03, 0x55, 0x04, 0x03])
  return der(0x30, der(0x31, der(0x30, Buffer.concat([type, value]))))
}

/** Tag, length, content: contents here are always shorter than 128 bytes. */
function der(tag: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([tag, content.length]), content])
}

function namesOf({ nodeId, clusterId, role }: Identity, lifeMs: number) {
  const unit = role === 'manager' ? managerName : 'swarm-worker'
  return {
    commonName: nodeId,
    organization: clusterId,
    organizationalUnit: unit,
    sans: [unit, nodeId],
    usage: ['server', 'client'] as ('server' | 'client')[],
    lifeMs,
  }
}
