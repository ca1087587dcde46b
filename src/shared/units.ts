/**
 * Sizes and times as Docker writes and reads them.
 */

const binary = ['', 'k', 'm', 'g', 't', 'p']

/**
 * "64m", "1.5g", "512k", "100" -> bytes: powers of 1024, as the docker command reads memory sizes.
 * Undefined where the text is none.
 */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([bkmgtp]?)(?:i?b)?$/i.exec(text.trim())
  if (!match) return undefined
  const power = binary.indexOf(match[2]!.toLowerCase().replace('b', ''))
  return Math.round(Number(match[1]) * 1024 ** power)
}

/** 1500000 -> "1.5MB": powers of 1000, at most four digits, as docker's tables show a size. */
export function formatBytes(bytes: number): string {
  const names = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let power = 0
  while (value >= 1000 && power < names.length - 1) {
    value /= 1000
    power++
  }
  return `${Number(value.toPrecision(3))}${names[power]}`
}

const nsPerUnit: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 }

/** "1m30s", "500ms", "2h" -> nanoseconds, as Go's duration; undefined where the text is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map((p) => p[0]).join('') !== text) return undefined
  return Math.round(parts.reduce((sum, [, n, unit]) => sum + Number(n) * nsPerUnit[unit!]!, 0))
}

/** 45000 ms -> "45 seconds", "About a minute", "3 hours": how docker says an age. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  const minutes = Math.floor(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.round(minutes / 60)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  const days = Math.floor(hours / 24)
  if (days < 14) return `${days} days`
  if (days < 60) return `${Math.floor(days / 7)} weeks`
  if (days < 730) return `${Math.floor(days / 30)} months`
  return `${Math.floor(days / 365)} years`
}
