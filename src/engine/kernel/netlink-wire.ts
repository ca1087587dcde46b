/**
 * Netlink messages as bytes: headers, attributes and their nesting (netlink(7); Documentation/userspace-api/
 * netlink/intro.rst). Pure, and in the machine's byte order, which is little-endian on both architectures.
 */

/** An attribute: its bytes, or the attributes that lie inside it. */
export interface Attribute {
  type: number
  value: Uint8Array | readonly Attribute[]
}

/** One request: what it does, for errors, and what the kernel gets. */
export interface NetlinkRequest {
  /** "add veth tse01a2b3c4x": names the request in errors. */
  what: string
  /** nlmsg_type. */
  type: number
  /** nlmsg_flags beside NLM_F_REQUEST and NLM_F_ACK. */
  flags: number
  /** The family's fixed header and the attributes: everything after nlmsghdr. */
  body: Uint8Array
  /** Error names that count as success: the thing is as wanted already. */
  tolerate?: readonly string[]
}

/** A message that came back. */
export interface NetlinkMessage {
  type: number
  flags: number
  sequence: number
  /** Everything after nlmsghdr. */
  body: Buffer
}

export const headerSize = 16
export const NLM_F_REQUEST = 0x001
export const NLM_F_MULTI = 0x002
export const NLM_F_ACK = 0x004
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
export const NLM_F_APPEND = 0x800
/** NLM_F_ROOT | NLM_F_MATCH. */
export const NLM_F_DUMP = 0x300
/** In an answer with an error: the request's body is left out, so attributes follow its header at once. */
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3
const NLMSGERR_ATTR_MSG = 1
const NLA_F_NESTED = 0x8000
const typeMask = 0x3fff

const align = (size: number): number => (size + 3) & ~3

export function u8(value: number): Buffer {
  return Buffer.from([value])
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}

/** In network byte order, as ports are. */
export function be16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

/** A string with its zero byte. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}

export function isMac(text: string): boolean {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)
}

/** "02:42:ac:11:00:02" -> six bytes. @throws RangeError where it is no Ethernet address */
export function macBytes(mac: string): Buffer {
  if (!isMac(mac)) throw new RangeError(`not an Ethernet address: ${mac}`)
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}

/** Six bytes -> "02:42:ac:11:00:02". */
export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** "172.17.0.2" -> four bytes. @throws RangeError where it is no IPv4 address */
export function ipv4Bytes(address: string): Buffer {
  const parts = address.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256))
  if (parts.length !== 4 || parts.some((part) => part > 255)) {
    throw new RangeError(`not an IPv4 address: ${address}`)
  }
  return Buffer.from(parts)
}

/** Four bytes -> "172.17.0.2". */
export function formatIpv4(bytes: Uint8Array): string {
  return Array.from(bytes).join('.')
}

/** Attributes one after the other, each padded to four bytes. */
export function encodeAttributes(attributes: readonly Attribute[]): Buffer {
  const parts: Uint8Array[] = []
  for (const { type, value } of attributes) {
    const nested = !(value instanceof Uint8Array)
    const bytes = nested ? encodeAttributes(value) : value
    const header = Buffer.alloc(4)
    header.writeUInt16LE(4 + bytes.length, 0)
    header.writeUInt16LE(nested ? type | NLA_F_NESTED : type, 2)
    parts.push(header, bytes)
    const padding = align(bytes.length) - bytes.length
    if (padding > 0) parts.push(Buffer.alloc(padding))
  }
  return Buffer.concat(parts)
}

/** A family's fixed header and its attributes: a request's body. */
export function encodeBody(header: Uint8Array, attributes: readonly Attribute[]): Buffer {
  return Buffer.concat([
    header,
    Buffer.alloc(align(header.length) - header.length),
    encodeAttributes(attributes),
  ])
}

/** The whole message, as it is sent. */
export function encodeMessage(request: NetlinkRequest, sequence: number, flags: number): Buffer {
  const header = Buffer.alloc(headerSize)
  header.writeUInt32LE(headerSize + request.body.length, 0)
  header.writeUInt16LE(request.type, 4)
  header.writeUInt16LE(request.flags | NLM_F_REQUEST | flags, 6)
  header.writeUInt32LE(sequence, 8)
  return Buffer.concat([header, request.body, Buffer.alloc(align(request.body.length) - request.body.length)])
}

/** The messages of one datagram. What is cut off at its end is left out. */
export function decodeMessages(datagram: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = []
  for (let at = 0; at + headerSize <= datagram.length; ) {
    const length = datagram.readUInt32LE(at)
    if (length < headerSize || at + length > datagram.length) break
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + headerSize, at + length),
    })
    at += align(length)
  }
  return messages
}

/** Attribute type -> its bytes. Of a type that comes twice the last one counts, as in the kernel. */
export function decodeAttributes(bytes: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>()
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at)
    if (length < 4 || at + length > bytes.length) break
    attributes.set(bytes.readUInt16LE(at + 2) & typeMask, bytes.subarray(at + 4, at + length))
    at += align(length)
  }
  return attributes
}

/** A string attribute without its zero byte. */
export function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}

/**
 * What an NLMSG_ERROR says: the errno (0: done), and the kernel's own words where it has some.
 * Netlink's extended acknowledgments, include/uapi/linux/netlink.h.
 */
export function decodeError({ flags, body }: NetlinkMessage): { errno: number; words?: string } {
  const errno = -body.readInt32LE(0)
  if (!(flags & NLM_F_ACK_TLVS)) return { errno }
  const requestLength = flags & NLM_F_CAPPED ? headerSize : body.readUInt32LE(4)
  const words = decodeAttributes(body.subarray(4 + align(requestLength))).get(NLMSGERR_ATTR_MSG)
  return words ? { errno, words: textOf(words) } : { errno }
}
