/**
 * `showvminfo --machinereadable`, read by its quotes: a value may span lines, and a description may hold a line
 * that looks like the machine's state.
 */
import { fail } from '../../errors.ts'
import type { MachineState } from '../driver.ts'

/**
 * Its values by key, in their order; numbers as they stand there.
 * @throws E_VBOXMANAGE where it ends in the midst of something
 */
export function parseMachineReadable(text: string): Map<string, string> {
  const values = new Map<string, string>()
  const input = text.replace(/\r\n/g, '\n')
  if (input !== '' && !input.endsWith('\n')) throw cutOff()
  let at = 0
  const quoted = (): string => {
    let value = ''
    for (at++; at < input.length; at++) {
      if (input[at] === '"') {
        at++
        return value
      }
      if (input[at] === '\\' && (input[at + 1] === '"' || input[at + 1] === '\\')) at++
      value += input[at]
    }
    throw cutOff()
  }
  const until = (stop: RegExp): string => {
    const start = at
    while (at < input.length && !stop.test(input[at]!)) at++
    return input.slice(start, at)
  }
  while (at < input.length) {
    const key = input[at] === '"' ? quoted() : until(/[=\n]/)
    if (input[at] === '=') {
      at++
      values.set(key, input[at] === '"' ? quoted() : until(/\n/))
    }
    // What follows a value: VideoMode="720,400,0"@0,0 1
    until(/\n/)
    at++
  }
  return values
}

function cutOff(): Error {
  const why = 'its output is cut off; is the locale C.UTF-8 there?'
  return fail('E_VBOXMANAGE', { command: 'showvminfo', why })
}

/** machineStateToName of VBoxManage. */
const states: Record<string, MachineState> = {
  poweroff: 'Stopped',
  aborted: 'Stopped',
  teleported: 'Stopped',
  saved: 'Saved',
  'aborted-saved': 'Saved',
  running: 'Running',
  teleporting: 'Running',
  livesnapshotting: 'Running',
  onlinesnapshotting: 'Running',
  deletingsnapshotlive: 'Running',
  paused: 'Paused',
  teleportingpaused: 'Paused',
  starting: 'Starting',
  restoring: 'Starting',
  settingup: 'Starting',
  teleportingin: 'Starting',
  stopping: 'Stopping',
  saving: 'Stopping',
  gurumeditation: 'Error',
}

export function machineStateOf(info: ReadonlyMap<string, string>): MachineState {
  return states[info.get('VMState')?.toLowerCase() ?? ''] ?? 'Error'
}

/** Names of the forwarding rules. */
export function forwardsOf(info: ReadonlyMap<string, string>): string[] {
  return [...info].filter(([key]) => /^Forwarding\(\d+\)$/.test(key)).map(([, value]) => value)
}

/** The lines of `list vms`: names and UUIDs. */
export function parseList(text: string): { name: string; uuid: string }[] {
  return text
    .split(/\r?\n/)
    .map((line) => /^"(.*)" \{([0-9a-f-]{36})\}$/.exec(line))
    .filter((found) => found !== null)
    .map(([, name, uuid]) => ({ name: name!, uuid: uuid! }))
}

/** Records of `list hostonlyifs` and `list hostonlynets`: a record begins with its name; blank lines may be within. */
export function parseRecords(text: string): Record<string, string>[] {
  const records: Record<string, string>[] = []
  for (const line of text.split(/\r?\n/)) {
    const [, key, value] = /^(\w+):\s*(.*)$/.exec(line) ?? []
    if (key === 'Name') records.push({})
    if (key && records.length > 0) records.at(-1)![key] = value!.trim()
  }
  return records
}
