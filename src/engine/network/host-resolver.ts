/** The host's own resolver settings, read anew when they may have changed. */
import { readFileSync } from 'node:fs'
import { errnoOf } from '../../shared/errors.ts'
import type { Clock } from './context.ts'
import { parseResolvConf } from './files.ts'
import type { ResolverSettings } from './records.ts'

/** A change of the host's file is seen after this. */
const keptMs = 2000

/** systemd-resolved's own list, for those who can't reach its address on the loopback. */
const upstreamPath = '/run/systemd/resolve/resolv.conf'
const stubAddress = '127.0.0.53'

export class HostResolver {
  readonly #clock: Clock
  readonly #path: string
  #settings: ResolverSettings = { servers: [], search: [], options: [] }
  #readAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, path = '/etc/resolv.conf') {
    this.#clock = clock
    this.#path = path
  }

  /** For this process; servers on the loopback are among them. */
  settings(): ResolverSettings {
    if (this.#clock.now() - this.#readAt >= keptMs) {
      this.#settings = parseResolvConf(readIfThere(this.#path) ?? '')
      this.#readAt = this.#clock.now()
    }
    return this.#settings
  }

  /** For containers, which have a loopback of their own. */
  settingsForContainers(): ResolverSettings {
    const settings = this.settings()
    if (settings.servers.some((server) => server !== stubAddress)) return settings
    const upstream = readIfThere(upstreamPath)
    return upstream === undefined ? settings : parseResolvConf(upstream)
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
