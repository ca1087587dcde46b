/**
 * `tsmachine certs`: what certificates there are and how long they are good; and making a machine's anew.
 */
import { rm } from 'node:fs/promises'
import { readIfThere } from '../shared/files.ts'
import type { App } from './context.ts'
import { daysLeft } from './pki/authority.ts'
import { requireReady } from './power.ts'
import { provisionMachine } from './provision.ts'

/** One certificate of a storage. */
export interface CertificateRow {
  /** "CA", "client", or the name of the machine whose engine has it. */
  of: string
  path: string
  /** Whole days until it ends, negative once it has; undefined where the file is missing. */
  days: number | undefined
  /** Why it could not be read. */
  error?: string
}

/** The CA's, the client's, and each machine's. */
export async function listCertificates({ store }: App): Promise<CertificateRow[]> {
  const { certs } = store.paths
  const machines = (await store.list()).map(({ name }) => ({
    of: name,
    path: store.paths.machine(name).serverCert,
  }))
  const all = [{ of: 'CA', path: certs.ca }, { of: 'client', path: certs.cert }, ...machines]
  return Promise.all(all.map(({ of, path }) => rowOf(of, path)))
}

async function rowOf(of: string, path: string): Promise<CertificateRow> {
  const cert = await readIfThere(path)
  if (cert === undefined) return { of, path, days: undefined }
  try {
    return { of, path, days: daysLeft(cert) }
  } catch (error) {
    return { of, path, days: undefined, error: (error as Error).message }
  }
}

/**
 * Makes the machine's certificate and key anew and hands them over; the engine is restarted for it, and
 * containers go on.
 * @throws as `provisionMachine`
 */
export async function renewCertificate(app: App, name: string): Promise<void> {
  await requireReady(app, name)
  // The certificate alone: a key without one is found unfit, and both are made by the next look.
  await rm(app.store.paths.machine(name).serverCert, { force: true })
  await provisionMachine(app, name)
}
