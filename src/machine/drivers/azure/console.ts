/** What the VM wrote on its serial console, which the service keeps: the only witness where SSH never comes. */
import { call } from './calls.ts'
import type { Azure } from './clients.ts'
import type { AzureMachine } from './settings.ts'

/** About what fits under an error without pushing it off the screen. */
const lastLines = 12
const answerMs = 10_000

/** Its last lines, or a word on why there are none: the error that led here is the one to show. */
export async function consoleTail(azure: Azure, { group, names }: AzureMachine): Promise<string> {
  try {
    const { serialConsoleLogBlobUri: url } = await call('tell where the console is', undefined, () =>
      azure.compute.virtualMachines.retrieveBootDiagnosticsData(group, names.vm),
    )
    if (url === undefined) return 'empty so far'
    // The address carries a signature of its own, and no token goes along.
    const response = await fetch(url, { signal: AbortSignal.timeout(answerMs) })
    if (!response.ok) return `not to be had (${response.status})`
    return tailOf(await response.text()) || 'empty so far'
  } catch {
    return 'not to be had'
  }
}

/** The last lines that say something, without the escape sequences of a terminal. */
export function tailOf(text: string): string {
  return text
    .replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '')
    .split(/\r?\n/)
    .map((line) => line.replace(/[\x00-\x08\x0b-\x1f]/g, '').trimEnd())
    .filter((line) => line !== '')
    .slice(-lastLines)
    .join('\n')
}
