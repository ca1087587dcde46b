/** The keys by which a user leaves a terminal without ending the program (docker attach --detach-keys). */
import { failures } from '../../shared/errors.ts'

const fail = failures({
  E_DETACH_KEYS: { kind: 'user', http: 400, text: (p: { keys: string }) => `invalid detach keys: ${p.keys}` },
} as const)

const standard = 'ctrl-p,ctrl-q'

/** "ctrl-p,ctrl-q", "ctrl-@", "a" -> bytes. @throws E_DETACH_KEYS */
export function parseDetachKeys(text: string | undefined): Buffer {
  const keys = text || standard
  const bytes = keys.split(',').map((key) => {
    if (/^[ -~]$/.test(key)) return key.charCodeAt(0)
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1]
    if (control) return control.toUpperCase().charCodeAt(0) & 0x1f
    if (key === 'DEL') return 127
    throw fail('E_DETACH_KEYS', { keys })
  })
  return Buffer.from(bytes)
}

/** Looks for the keys in what is typed, also when they come in pieces. */
export class DetachScanner {
  private readonly keys: Buffer
  private matched = 0

  constructor(keys: Buffer) {
    this.keys = keys
  }

  /** What to pass on, and whether the keys are complete. Keys that are only begun are held back. */
  scan(data: Buffer): { pass: Buffer; detach: boolean } {
    const out: number[] = []
    for (const byte of data) {
      if (byte === this.keys[this.matched]) {
        this.matched++
        if (this.matched === this.keys.length) return { pass: Buffer.from(out), detach: true }
        continue
      }
      for (let i = 0; i < this.matched; i++) out.push(this.keys[i]!)
      this.matched = byte === this.keys[0] ? 1 : 0
      if (this.matched === 0) out.push(byte)
    }
    return { pass: Buffer.from(out), detach: false }
  }
}
