import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pathsOf } from '../../../../src/machine/paths.ts'
import {
  daysLeft,
  ensureAuthority,
  ensureServerCertificate,
  requireCredentials,
} from '../../../../src/machine/pki/authority.ts'
import { Store } from '../../../../src/machine/store/store.ts'
import { issueCertificate } from '../../../../src/shared/certificates.ts'

let folder = ''
let store: Store
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmachine-pki-'))
  store = new Store(pathsOf(folder))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('the authority of a storage', () => {
  test('is made once, however many ask at first', async () => {
    const all = await Promise.all(
      Array.from({ length: 5 }, () => ensureAuthority(new Store(pathsOf(folder)))),
    )
    expect(new Set(all.map(({ ca, cert }) => ca + cert)).size).toBe(1)
    expect(await requireCredentials(store)).toEqual(all[0])
    const { certs } = store.paths
    for (const path of [certs.key, certs.caKey]) expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('gives a machine a certificate with its names, and the same one the next time', async () => {
    await ensureAuthority(store)
    await store.reserve('m1')
    const made = await ensureServerCertificate(store, 'm1', ['m1', 'localhost', '127.0.0.1', '192.168.200.2'])
    const x509 = new X509Certificate(made.cert)
    expect(x509.verify(new X509Certificate(readFileSync(store.paths.certs.ca)).publicKey)).toBe(true)
    expect(x509.checkIP('192.168.200.2')).toBe('192.168.200.2')
    expect(x509.checkHost('m1')).toBe('m1')
    // A client's would open every other engine of the storage to whoever is root on this host.
    expect(x509.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    expect(daysLeft(made.cert)).toBeGreaterThan(1000)
    expect(await ensureServerCertificate(store, 'm1', ['m1', '192.168.200.2'])).toEqual(made)
    expect((await ensureServerCertificate(store, 'm1', ['m1', '192.168.200.3'])).cert).not.toBe(made.cert)
  })

  test('replaces a certificate that is a client’s too', async () => {
    await ensureAuthority(store)
    await store.reserve('m1')
    const { certs, machine } = { ...store.paths, machine: store.paths.machine('m1') }
    const read = (path: string) => readFileSync(path, 'utf8')
    const old = await issueCertificate(
      { cert: read(certs.ca), key: read(certs.caKey) },
      { commonName: 'm1', sans: ['m1'], usage: ['server', 'client'], lifeMs: 1e11 },
    )
    writeFileSync(machine.serverCert, old.cert)
    writeFileSync(machine.serverKey, old.key)
    expect((await ensureServerCertificate(store, 'm1', ['m1'])).cert).not.toBe(old.cert)
  })

  test('names the file that is missing, and replaces no lost half of a CA', async () => {
    await ensureAuthority(store)
    rmSync(store.paths.certs.key)
    await expect(requireCredentials(store)).rejects.toMatchObject({
      code: 'E_CERTIFICATE_MISSING',
      message: `the certificate file ${store.paths.certs.key} is missing`,
    })
    rmSync(store.paths.certs.caKey)
    await expect(ensureAuthority(store)).rejects.toMatchObject({ code: 'E_CERTIFICATE_MISSING' })
  })
})
