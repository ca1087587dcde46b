import { randomBytes } from 'node:crypto'

/** A container's, image's or network's id as Docker writes it: 64 lower-case hex digits. */
export function newHexId(): string {
  return randomBytes(32).toString('hex')
}

/** The first twelve digits, as Docker's tables show an id. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}

const base36 = '0123456789abcdefghijklmnopqrstuvwxyz'

/** A swarm object's id as Swarm writes it: 25 digits of base 36, of 128 random bits. */
export function newSwarmId(): string {
  return toBase36(BigInt(`0x${randomBytes(16).toString('hex')}`), 25)
}

/** `value` in base 36, padded with zeros to `width` digits. */
export function toBase36(value: bigint, width: number): string {
  let text = ''
  for (let rest = value; rest > 0n; rest /= 36n) text = base36[Number(rest % 36n)] + text
  return text.padStart(width, '0')
}
