/**
 * What a client needs to reach a machine's engine, given out only when the engine really answers.
 */
import { type App, engineUrl } from './context.ts'
import { EngineClient } from './engine-api.ts'
import { requireCredentials } from './pki/authority.ts'
import { requireRunning } from './power.ts'

export interface ClientConfig {
  name: string
  host: string
  url: string
  /** Folder with ca.pem, cert.pem and key.pem. */
  certPath: string
  engineVersion: string
}

/**
 * @throws E_MACHINE_STATE, E_CERTIFICATE_MISSING, E_ENGINE_SILENT, E_ENGINE_TLS
 */
export async function checkConnection(app: App, name: string): Promise<ClientConfig> {
  const record = await requireRunning(app, name)
  const engine = await EngineClient.open(record.engine!, await requireCredentials(app.store))
  try {
    const { Version } = await engine.call<{ Version: string }>('GET', '/version', { signal: app.signal })
    return {
      name,
      host: record.engine!.host,
      url: engineUrl(record),
      certPath: app.store.paths.certs.folder,
      engineVersion: Version,
    }
  } finally {
    await engine.close()
  }
}
