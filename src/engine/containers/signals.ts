/** Signals as users write them. */
import { constants } from 'node:os'
import { fail } from './errors.ts'

/** "SIGTERM", "TERM", "15" -> 15. @throws E_PARAMETER */
export function signalNumber(text: string): number {
  const number = /^\d+$/.test(text)
    ? Number(text)
    : (constants.signals as Record<string, number>)[text.toUpperCase().replace(/^(SIG)?/, 'SIG')]
  const realtime = /^(?:SIG)?RTMIN\+(\d+)$/i.exec(text)?.[1]
  const value = realtime === undefined ? number : 34 + Number(realtime)
  if (!value || value > 64) throw fail('E_PARAMETER', { name: 'signal', problem: text })
  return value
}
