/**
 * What the resolver says to a question: from what the host knows, or that it has to be asked elsewhere.
 * Pure. RFC 1035, RFC 2308 (no data), RFC 6891 (larger datagrams).
 */
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  encode,
  encodingLength,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet'

/** What one container can know. */
export interface Zone {
  /**
   * The addresses of a name, lower case and without a final dot; undefined where it is no name of the
   * container's networks.
   */
  addressesOf(name: string): readonly string[] | undefined
  /** The name of an address; null where it is of the container's networks but nobody's. */
  nameOf(address: string): string | null | undefined
  /** True where nothing may be asked outside: all the container's networks are internal. */
  isClosed: boolean
}

/** Clients may keep an answer this long, seconds. Names follow tasks, so not for long. */
const ttlS = 5
/** What a client that says nothing of its own takes in a datagram (RFC 1035, 4.2.1). */
const plainDatagramBytes = 512
/** What we say that we take (dnsflagday.net/2020). */
const ownDatagramBytes = 1232

export const rcodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
}

/** @returns the answer, or undefined where the question must be passed on */
export function answerLocally(query: DecodedPacket, zone: Zone): Packet | undefined {
  const question = query.questions?.[0]
  if (!question || query.questions!.length > 1) return reply(query, rcodes.formatError)
  const name = question.name.toLowerCase().replace(/\.$/, '')
  const reversed = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name)
  if (reversed) {
    const address = reversed.slice(1).reverse().join('.')
    const found = zone.nameOf(address)
    if (found === null) return reply(query, rcodes.noSuchName)
    if (found !== undefined) {
      const isAsked = question.type === 'PTR' || (question.type as string) === 'ANY'
      return reply(
        query,
        rcodes.noError,
        isAsked ? [{ type: 'PTR', name: question.name, ttl: ttlS, data: found }] : [],
      )
    }
  } else {
    const addresses = zone.addressesOf(name)
    if (addresses !== undefined) {
      const isAsked = question.type === 'A' || (question.type as string) === 'ANY'
      const answers = isAsked ? shuffled(addresses) : []
      return reply(
        query,
        rcodes.noError,
        answers.map((data) => ({ type: 'A', name: question.name, ttl: ttlS, data })),
      )
    }
  }
  return zone.isClosed ? reply(query, rcodes.noSuchName) : undefined
}

/** An answer without data: a name that there is not, a server that could not be asked. */
export function reply(query: Packet, rcode: number, answers: Answer[] = []): Packet {
  return {
    type: 'response',
    id: query.id,
    flags:
      ((query.flags ?? 0) & RECURSION_DESIRED) |
      RECURSION_AVAILABLE |
      (rcode === rcodes.noError && answers.length > 0 ? AUTHORITATIVE_ANSWER : 0) |
      rcode,
    questions: query.questions,
    answers,
    additionals: optOf(query) ? [ownOpt()] : [],
  }
}

/** The bytes for a datagram: as many answers as the client takes, and a mark where that is not all. */
export function encodeForDatagram(query: Packet, answer: Packet): Buffer {
  const limit = Math.max(plainDatagramBytes, optOf(query)?.udpPayloadSize ?? 0)
  if (encodingLength(answer) <= limit) return encode(answer)
  const answers = [...(answer.answers ?? [])]
  const cut = { ...answer, flags: (answer.flags ?? 0) | TRUNCATED_RESPONSE, answers }
  while (answers.length > 0 && encodingLength(cut) > limit) answers.pop()
  return encode(cut)
}

function optOf(packet: Packet): Extract<Answer, { type: 'OPT' }> | undefined {
  return packet.additionals?.find(
    (record): record is Extract<Answer, { type: 'OPT' }> => record.type === 'OPT',
  )
}

function ownOpt(): Answer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: ownDatagramBytes,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  }
}

/** Clients take the first address: in another order each time, so that they spread. */
function shuffled(addresses: readonly string[]): string[] {
  const list = [...addresses]
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[list[i], list[j]] = [list[j]!, list[i]!]
  }
  return list
}
