/**
 * A machine as `inspect` shows it: docker-machine's fields, which scripts and CI runners read, and our own
 * record under `Machine`.
 */
import type { Paths } from './paths.ts'
import type { MachineRecord } from './record.ts'

export function inspectMachine(paths: Paths, record: MachineRecord): Record<string, unknown> {
  const { folder, serverCert, serverKey } = paths.machine(record.name)
  const { certs } = paths
  return {
    ConfigVersion: 3,
    Driver: {
      IPAddress: record.engine?.host ?? '',
      MachineName: record.name,
      SSHUser: record.ssh?.user ?? '',
      SSHPort: record.ssh?.port ?? 0,
      SSHKeyPath: record.ssh?.keyPath ?? '',
      StorePath: paths.storage,
      EnginePort: record.engine?.port ?? 0,
    },
    DriverName: record.driver,
    HostOptions: {
      Driver: '',
      EngineOptions: { TlsVerify: true },
      SwarmOptions: { IsSwarm: record.swarm !== undefined, Master: record.swarm?.role === 'manager' },
      AuthOptions: {
        CertDir: certs.folder,
        CaCertPath: certs.ca,
        CaPrivateKeyPath: certs.caKey,
        ClientCertPath: certs.cert,
        ClientKeyPath: certs.key,
        ServerCertPath: serverCert,
        ServerKeyPath: serverKey,
        ServerCertSANs: [],
        // The folder in which clients look for ca.pem, cert.pem and key.pem.
        StorePath: certs.folder,
      },
    },
    Name: record.name,
    Machine: { ...record, folder },
  }
}
