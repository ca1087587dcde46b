/**
 * Every file and folder of the client's storage, with its meaning. docs/files.md says the same to people.
 */
import { createHash } from 'node:crypto'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** The storage folder: what --storage-path or TSMACHINE_STORAGE_PATH say, else ~/.tsmachine. */
export function storageFolder(given?: string): string {
  return resolve(given ?? process.env.TSMACHINE_STORAGE_PATH ?? join(homedir(), '.tsmachine'))
}

export interface Paths {
  storage: string
  /** One CA and one client certificate for all machines; laid out so that it can be DOCKER_CERT_PATH. */
  certs: { folder: string; ca: string; caKey: string; cert: string; key: string }
  machines: string
  /** Engine bundles and their compressed parts, by content. */
  bundles: string
  /** Locks between processes; empty while none works. */
  locks: string
  machine: (name: string) => MachinePaths
}

export interface MachinePaths {
  folder: string
  /** The record, written through conf. */
  record: string
  /** The pair that lets us in, and the pair that the host proves itself with (made here, so known beforehand). */
  userKey: string
  hostKey: string
  /** The engine's certificate and key. */
  serverCert: string
  serverKey: string
  /** What the driver keeps on this machine's disk: for `local`, the host's own files. */
  driver: string
}

/** The names below one storage folder. */
export function pathsOf(storage: string): Paths {
  const certs = join(storage, 'certs')
  const machines = join(storage, 'machines')
  return {
    storage,
    certs: {
      folder: certs,
      ca: join(certs, 'ca.pem'),
      caKey: join(certs, 'ca-key.pem'),
      cert: join(certs, 'cert.pem'),
      key: join(certs, 'key.pem'),
    },
    machines,
    bundles: join(storage, 'bundles'),
    locks: join(storage, 'locks'),
    machine: (name) => {
      const folder = join(machines, name)
      return {
        folder,
        record: join(folder, 'machine.json'),
        userKey: join(folder, 'id_ed25519'),
        hostKey: join(folder, 'ssh_host_ed25519_key'),
        serverCert: join(folder, 'server.pem'),
        serverKey: join(folder, 'server-key.pem'),
        driver: join(folder, 'driver'),
      }
    },
  }
}

/** Eight hex digits that stand for this storage in the names of kernel objects, so that two don't collide. */
export function storageId(storage: string): string {
  return createHash('sha256').update(storage).digest('hex').slice(0, 8)
}
