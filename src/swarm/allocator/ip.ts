/**
 * IPv4 addresses and blocks as numbers.
 */

export interface Block {
  /** First address. */
  base: number
  prefix: number
}

/** Undefined where the text is no block with its host bits zero or an address in it ("10.0.1.5/24" is 10.0.1.0/24). */
export function parseBlock(text: string): Block | undefined {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text)
  const address = match ? parseAddress(match[1]!) : undefined
  const prefix = Number(match?.[2])
  if (address === undefined || prefix > 32) return undefined
  return { base: address - (address % sizeOf(prefix)), prefix }
}

export function parseAddress(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
}

export function formatBlock({ base, prefix }: Block): string {
  return `${formatAddress(base)}/${prefix}`
}

/** How many addresses a block of this prefix length has. */
export function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix)
}

export function overlap(a: Block, b: Block): boolean {
  return a.base < b.base + sizeOf(b.prefix) && b.base < a.base + sizeOf(a.prefix)
}

export function contains(block: Block, address: number): boolean {
  return address >= block.base && address < block.base + sizeOf(block.prefix)
}
