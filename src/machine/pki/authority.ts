/**
 * The certificates of one storage: a CA of its own, one client certificate, one server certificate a machine.
 * Made once, under the storage's lock, so that two first creates at once don't make two CAs.
 */
import { X509Certificate } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { issueCertificate, type KeyPair, makeCa } from '../../shared/certificates.ts'
import { makePrivateFolder, readIfThere, sweepTemporaries, writeFileAtomic } from '../../shared/files.ts'
import { fail } from '../errors.ts'
import type { Store } from '../store/store.ts'

const dayMs = 24 * 60 * 60 * 1000
const caLifeMs = 3650 * dayMs
const leafLifeMs = 1095 * dayMs
/** A certificate with less left than this is made anew whenever somebody looks. */
const renewBeforeMs = 90 * dayMs

/** What a client needs to talk to any engine of this storage, PEM. */
export interface ClientCredentials {
  ca: string
  cert: string
  key: string
}

/** Makes the CA and the client certificate where they are missing, and renews the client's before it ends. */
export async function ensureAuthority(store: Store): Promise<ClientCredentials> {
  const { certs } = store.paths
  const there = await readCredentials(store)
  if (there && isFit(there)) return there
  return store.withStorage(async () => {
    const now = await readCredentials(store)
    if (now && isFit(now)) return now
    await makePrivateFolder(certs.folder)
    await sweepTemporaries(certs.folder)
    const ca = await ensureCa(store)
    const user = `${userInfo().username}@${hostname()}`
    const client = await issueCertificate(ca, {
      commonName: user,
      organization: 'tsmachine',
      usage: ['client'],
      lifeMs: leafLifeMs,
    })
    await writeFileAtomic(certs.key, client.key)
    await writeFileAtomic(certs.cert, client.cert, 0o644)
    return { ca: ca.cert, ...client }
  })
}

/**
 * The CA's and the client's files, as they must be once a machine is there.
 * @throws E_CERTIFICATE_MISSING naming the file
 */
export async function requireCredentials(store: Store): Promise<ClientCredentials> {
  const { ca, cert, key } = store.paths.certs
  const read = async (path: string) => {
    const text = await readIfThere(path)
    if (text === undefined) throw fail('E_CERTIFICATE_MISSING', { path })
    return text
  }
  return { ca: await read(ca), cert: await read(cert), key: await read(key) }
}

/**
 * The machine's server certificate and key, made anew where it is missing, about to end, of another CA, or
 * without one of `names` (DNS names and IP addresses).
 */
export async function ensureServerCertificate(store: Store, name: string, names: string[]): Promise<KeyPair> {
  const paths = store.paths.machine(name)
  const ca = await requireCa(store)
  const cert = await readIfThere(paths.serverCert)
  const key = await readIfThere(paths.serverKey)
  if (
    cert &&
    key &&
    isServerOnly(cert) &&
    !endsSoon(cert) &&
    isSignedBy(cert, ca.cert) &&
    covers(cert, names)
  )
    return { cert, key }
  const made = await issueCertificate(ca, {
    commonName: name,
    organization: 'tsmachine',
    sans: names,
    // Not the client's: every engine takes that one for its owner's, and root on one host would be on all.
    usage: ['server'],
    lifeMs: leafLifeMs,
  })
  // The certificate last: a crash between the two leaves a pair that the next look finds unfit.
  await rm(paths.serverCert, { force: true })
  await writeFileAtomic(paths.serverKey, made.key)
  await writeFileAtomic(paths.serverCert, made.cert, 0o644)
  return made
}

/** Whole days until the certificate ends; negative once it has. */
export function daysLeft(cert: string): number {
  return Math.floor((new X509Certificate(cert).validToDate.getTime() - Date.now()) / dayMs)
}

async function ensureCa(store: Store): Promise<KeyPair> {
  const { ca, caKey } = store.paths.certs
  const cert = await readIfThere(ca)
  const key = await readIfThere(caKey)
  if (cert && key) return { cert, key }
  // Half a CA beside machines that trust it must not be replaced in silence: they would all be lost.
  // A key alone, without any machine, is what a crash between the two writes below leaves.
  if (cert) throw fail('E_CERTIFICATE_MISSING', { path: caKey })
  if (key && (await store.list()).length > 0) throw fail('E_CERTIFICATE_MISSING', { path: ca })
  const made = await makeCa({
    commonName: `tsmachine CA of ${userInfo().username}@${hostname()}`,
    organization: 'tsmachine',
    lifeMs: caLifeMs,
  })
  await writeFileAtomic(caKey, made.key)
  await writeFileAtomic(ca, made.cert, 0o644)
  return made
}

async function requireCa(store: Store): Promise<KeyPair> {
  const { ca, caKey } = store.paths.certs
  const cert = await readIfThere(ca)
  if (cert === undefined) throw fail('E_CERTIFICATE_MISSING', { path: ca })
  const key = await readIfThere(caKey)
  if (key === undefined) throw fail('E_CERTIFICATE_MISSING', { path: caKey })
  return { cert, key }
}

async function readCredentials(store: Store): Promise<ClientCredentials | undefined> {
  const { certs } = store.paths
  const [ca, cert, key] = await Promise.all([certs.ca, certs.cert, certs.key].map(readIfThere))
  return ca && cert && key ? { ca, cert, key } : undefined
}

function isFit({ ca, cert }: ClientCredentials): boolean {
  return !endsSoon(cert) && isSignedBy(cert, ca)
}

const serverAuth = '1.3.6.1.5.5.7.3.1'

/** Its extended key usage (RFC 5280, 4.2.1.12) is a TLS server's and no other. */
function isServerOnly(cert: string): boolean {
  const { keyUsage } = new X509Certificate(cert)
  return keyUsage?.length === 1 && keyUsage[0] === serverAuth
}

function endsSoon(cert: string): boolean {
  return new X509Certificate(cert).validToDate.getTime() - Date.now() < renewBeforeMs
}

function isSignedBy(cert: string, ca: string): boolean {
  return new X509Certificate(cert).verify(new X509Certificate(ca).publicKey)
}

function covers(cert: string, names: string[]): boolean {
  const x509 = new X509Certificate(cert)
  return names.every((name) => x509.checkHost(name) !== undefined || x509.checkIP(name) !== undefined)
}
