import { readFileSync } from 'node:fs'

declare global {
  /** The package's version, put into the bundle when it is built. */
  var TSMACHINE_VERSION: string | undefined
}

/** The package's version. */
export function packageVersion(): string {
  if (globalThis.TSMACHINE_VERSION) return globalThis.TSMACHINE_VERSION
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
