import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  certificateDigest,
  issueCertificate,
  makeCa,
  makeRequest,
  signRequest,
} from '../../../src/shared/certificates.ts'

const day = 86_400_000

describe('certificates', () => {
  it('are signed by the CA and carry the names and addresses asked for', async () => {
    const ca = await makeCa({ commonName: 'test CA', lifeMs: day })
    const { cert } = await issueCertificate(ca, {
      commonName: 'm1',
      organization: 'swarm',
      sans: ['localhost', '127.0.0.1', '::1'],
      usage: ['server'],
      lifeMs: day,
    })
    const leaf = new X509Certificate(cert)
    expect(leaf.verify(new X509Certificate(ca.cert).publicKey)).toBe(true)
    expect(leaf.ca).toBe(false)
    expect(leaf.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1')
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  })

  it('takes the subject from the signer, never from the request', async () => {
    const ca = await makeCa({ commonName: 'test CA', lifeMs: day })
    const { request } = await makeRequest({ commonName: 'manager', organizationalUnit: 'swarm-manager' })
    const cert = await signRequest(ca, request, { commonName: 'worker', usage: ['client'], lifeMs: day })
    expect(new X509Certificate(cert).subject).toBe('CN=worker')
  })

  it('refuses a request whose signature was made by another key', async () => {
    const ca = await makeCa({ commonName: 'test CA', lifeMs: day })
    const { request } = await makeRequest({ commonName: 'a' })
    const der = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ''), 'base64')
    der[der.length - 5]! ^= 1
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
    await expect(
      signRequest(ca, forged, { commonName: 'w', usage: ['client'], lifeMs: day }),
    ).rejects.toThrow()
  })

  it('has a digest that tells two CAs of the same name apart', async () => {
    const [a, b] = await Promise.all([1, 2].map(() => makeCa({ commonName: 'same', lifeMs: day })))
    expect(certificateDigest(a!.cert)).not.toBe(certificateDigest(b!.cert))
    expect(certificateDigest(a!.cert)).toMatch(/^[0-9a-f]{64}$/)
  })
})
