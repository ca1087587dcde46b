/**
 * Certificates, as the machines' TLS and the swarm's CA need them: ECDSA P-256, PEM at the edges.
 * The library and its reflection polyfill load on the first call only.
 */
import { createHash, randomBytes, webcrypto, X509Certificate } from 'node:crypto'

/** A certificate and its private key (PKCS#8), both PEM. */
export interface KeyPair {
  cert: string
  key: string
}

export interface SubjectOptions {
  commonName: string
  organization?: string
  organizationalUnit?: string
}

export interface IssueOptions extends SubjectOptions {
  /** DNS names and IP addresses of a server. */
  sans?: string[]
  /** What the holder may do with it. */
  usage: ('server' | 'client')[]
  /** Life, in milliseconds from now. */
  lifeMs: number
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
type CryptoKey = webcrypto.CryptoKey
type CryptoKeyPair = webcrypto.CryptoKeyPair

/** Certificates start this long before now, so that a host whose clock is behind accepts them. */
const backdateMs = 60 * 60 * 1000

async function load() {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  x509.cryptoProvider.set(webcrypto as Crypto)
  return x509
}

/** A new CA that signs itself. */
export async function makeCa(options: SubjectOptions & { lifeMs: number }): Promise<KeyPair> {
  const x509 = await load()
  const keys = await generateKeys()
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: nameOf(options),
    ...validity(options.lifeMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: pem(cert.toString('pem')), key: await exportKey(keys.privateKey) }
}

/** A new key and a certificate for it, signed by `ca`. */
export async function issueCertificate(ca: KeyPair, options: IssueOptions): Promise<KeyPair> {
  await load()
  const keys = await generateKeys()
  return { cert: await sign(ca, keys.publicKey, options), key: await exportKey(keys.privateKey) }
}

/** A key that stays here and the request (PKCS#10, PEM) that goes to the CA. */
export async function makeRequest(subject: SubjectOptions): Promise<{ request: string; key: string }> {
  const x509 = await load()
  const keys = await generateKeys()
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: nameOf(subject),
    keys,
    signingAlgorithm: algorithm,
  })
  return { request: pem(request.toString('pem')), key: await exportKey(keys.privateKey) }
}

/**
 * Signs the public key of a request. The names come from `options`, never from the request: the one who asks
 * does not choose who he is.
 * @throws when the request is malformed or its own signature doesn't hold
 */
export async function signRequest(ca: KeyPair, request: string, options: IssueOptions): Promise<string> {
  const x509 = await load()
  const csr = new x509.Pkcs10CertificateRequest(request)
  if (!(await csr.verify())) throw new Error('the signature of the certificate request does not hold')
  return sign(ca, await csr.publicKey.export(), options)
}

/**
 * The one certificate of a PEM text, encoded anew. Undefined when the text is anything else: OpenSSL reads the
 * first certificate of several, but trusts all of them.
 */
export function onlyCertificate(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.split('-----BEGIN').length !== 2) return undefined
  try {
    return pem(new X509Certificate(text).toString())
  } catch {
    // OpenSSL's words for what is no certificate say nothing to anybody.
    return undefined
  }
}

/** SHA-256 over the DER form of a text's first certificate, in hex; see `onlyCertificate` for a stranger's. */
export function certificateDigest(cert: string): string {
  return createHash('sha256').update(new X509Certificate(cert).raw).digest('hex')
}

async function sign(ca: KeyPair, publicKey: CryptoKey, options: IssueOptions): Promise<string> {
  const x509 = await load()
  const caCert = new x509.X509Certificate(ca.cert)
  const signingKey = await webcrypto.subtle.importKey('pkcs8', pemBody(ca.key), algorithm, false, ['sign'])
  const purposes = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth }
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: nameOf(options),
    issuer: caCert.subjectName,
    ...validity(options.lifeMs),
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: signingKey as CryptoKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(options.usage.map((u) => purposes[u])),
      await x509.AuthorityKeyIdentifierExtension.create(caCert),
      ...(options.sans?.length
        ? [
            new x509.SubjectAlternativeNameExtension(
              options.sans.map((value) => ({
                type: isAddress(value) ? ('ip' as const) : ('dns' as const),
                value,
              })),
            ),
          ]
        : []),
    ],
  })
  return pem(cert.toString('pem'))
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair
}

function nameOf(subject: SubjectOptions): { [type: string]: string[] }[] {
  return [
    { CN: [subject.commonName] },
    ...(subject.organizationalUnit ? [{ OU: [subject.organizationalUnit] }] : []),
    ...(subject.organization ? [{ O: [subject.organization] }] : []),
  ]
}

function validity(lifeMs: number) {
  return { notBefore: new Date(Date.now() - backdateMs), notAfter: new Date(Date.now() + lifeMs) }
}

/** 126 random bits, first digit not zero: positive in DER whatever the rest is. */
function serial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.toString('hex')
}

function isAddress(value: string): boolean {
  return /^[0-9.]+$/.test(value) || value.includes(':')
}

async function exportKey(key: CryptoKey): Promise<string> {
  const body = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${body.replace(/(.{64})/g, '$1\n').trimEnd()}\n-----END PRIVATE KEY-----\n`
}

function pemBody(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(text.replace(/-----[^-]+-----/g, '').replace(/\s/g, ''))
}

function pem(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}
