import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { makeRequest } from '../../../../src/shared/certificates.ts'
import {
  identityOf,
  issueIdentity,
  makeRoot,
  signIdentity,
  tlsInfo,
} from '../../../../src/swarm/ca/authority.ts'
import {
  equal,
  joinToken,
  newTokenSecret,
  parseToken,
  tokenNames,
  trustedRoot,
} from '../../../../src/swarm/ca/token.ts'

describe('join tokens', () => {
  it('have the form of Swarm: digest of 50 and secret of 25 digits', async () => {
    const root = await makeRoot()
    const token = joinToken(root.cert, newTokenSecret())
    expect(token).toMatch(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/)
    expect(tokenNames(parseToken(`${token}\n`), root.cert)).toBe(true)
  })

  it('name one root certificate and no other', async () => {
    const [one, two] = await Promise.all([makeRoot(), makeRoot()])
    const token = parseToken(joinToken(one.cert, newTokenSecret()))
    expect(tokenNames(token, two.cert)).toBe(false)
  })

  it('make one certificate trusted, and nothing that is sent along with it', async () => {
    const [one, two] = await Promise.all([makeRoot(), makeRoot()])
    const token = parseToken(joinToken(one.cert, newTokenSecret()))
    expect(trustedRoot(token, one.cert)).toBe(one.cert)
    expect(trustedRoot(token, `some words\n${one.cert}more words`)).toBe(one.cert)
    const trusted = two.cert.replaceAll('BEGIN CERT', 'BEGIN TRUSTED CERT')
    for (const text of [
      one.cert + two.cert,
      two.cert + one.cert,
      one.cert + trusted,
      two.cert,
      '',
      7,
      null,
    ]) {
      expect(trustedRoot(token, text)).toBeUndefined()
    }
  })

  it('are not repeated by the error that refuses them', () => {
    const wrong = 'SWMTKN-1-short-secret'
    expect(() => parseToken(wrong)).toThrow(expect.objectContaining({ code: 'E_TOKEN_MALFORMED' }))
    expect(() => parseToken(wrong)).not.toThrow(/secret/)
  })

  it('compares secrets of any length', () => {
    expect(equal('a', 'a')).toBe(true)
    expect(equal('a', 'ab')).toBe(false)
  })
})

describe("a node's certificate", () => {
  const identity = { nodeId: 'n1', clusterId: 'c1', role: 'worker' } as const

  it('says who the node is, in which role and in which swarm', async () => {
    const root = await makeRoot()
    expect(identityOf((await issueIdentity(root, { ...identity, role: 'manager' })).cert)).toEqual({
      ...identity,
      role: 'manager',
    })
    const { request } = await makeRequest({ commonName: 'king', organizationalUnit: 'swarm-manager' })
    const cert = await signIdentity(root, request, identity)
    expect(identityOf(cert)).toEqual(identity)
    expect(new X509Certificate(cert).verify(new X509Certificate(root.cert).publicKey)).toBe(true)
    expect(new X509Certificate(cert).subjectAltName).toBe('DNS:swarm-worker, DNS:n1')
  })

  it('is not made from a broken request', async () => {
    const root = await makeRoot()
    await expect(signIdentity(root, 'nonsense', identity)).rejects.toMatchObject({
      code: 'E_REQUEST_MALFORMED',
    })
  })

  it('is told from one that is no node', async () => {
    expect(identityOf((await makeRoot()).cert)).toBeUndefined()
  })

  it('shows the root as the API does', async () => {
    const root = await makeRoot()
    const info = tlsInfo(root.cert)
    expect(Buffer.from(info.CertIssuerSubject, 'base64').toString('hex')).toContain(
      Buffer.from('swarm-ca').toString('hex'),
    )
    expect(info.TrustRoot).toBe(root.cert)
  })
})
