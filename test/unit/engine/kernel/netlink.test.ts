import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addAddress, deleteAddress, replaceRoute } from '../../../../src/engine/kernel/netlink-addresses.ts'
import {
  addBridge,
  addVeth,
  addVxlan,
  changeLink,
  deleteLink,
} from '../../../../src/engine/kernel/netlink-links.ts'
import {
  deleteForwarding,
  deleteNeighbour,
  replaceForwarding,
  replaceNeighbour,
} from '../../../../src/engine/kernel/netlink-neighbours.ts'
import {
  decodeAttributes,
  decodeError,
  decodeMessages,
  encodeAttributes,
  encodeMessage,
  formatIpv4,
  formatMac,
  ipv4Bytes,
  macBytes,
  type NetlinkRequest,
} from '../../../../src/engine/kernel/netlink-wire.ts'

/**
 * What iproute2 6.1 sent for the same work (strace -e write=all ip ...), in a namespace with the devices
 * br0 = 2, d0 = 4 and vx0 = 5. Flags that only it sets (NLM_F_ACK) and the sequence number are not compared,
 * nor is the order of attributes.
 */
const recorded: [command: string, hex: string, ours: NetlinkRequest, fixed: number, nested: number[][]][] = [
  [
    'ip link add v1 type veth peer name eth0 address 02:42:ac:11:00:02',
    '6400000010000506e04d016b000000000000000000000000000000000000000007000300763100003c0012000800010076657468300002002c000100000000000000000000000000000000000a0001000242ac1100020000090003006574683000000000',
    addVeth({ name: 'v1', peer: { name: 'eth0', mac: '02:42:ac:11:00:02' } }),
    16,
    [[18], [18, 2]],
  ],
  [
    'ip link add br1 type bridge forward_delay 0 stp_state 0 mcast_snooping 0',
    '5400000010000506e04d016b000000000000000000000000000000000000000008000300627231002c0012000a00010062726964676500001c000200080001000000000008000500000000000500170000000000',
    addBridge({ name: 'br1' }),
    16,
    [[18], [18, 2]],
  ],
  [
    'ip link add vx1 type vxlan id 4098 dstport 4789 nolearning',
    '5400000010000506e04d016b000000000000000000000000000000000000000008000300767831002c0012000900010076786c616e0000001c0002000800010002100000050007000000000006000f0012b50000',
    addVxlan({ name: 'vx1', vni: 4098, port: 4789 }),
    16,
    [[18], [18, 2]],
  ],
  [
    'ip link set d0 master br0',
    '2800000010000500e04d016b000000000000000004000000000000000000000008000a0002000000',
    changeLink(4, { master: 2 }),
    16,
    [],
  ],
  [
    'ip link set d0 up',
    '2000000010000500e04d016b0000000000000000040000000100000001000000',
    changeLink(4, { up: true }),
    16,
    [],
  ],
  [
    'ip link set d0 addrgenmode none',
    '3000000010000500e14d016b000000000000000004000000000000000000000010001a000c000a000500080001000000',
    changeLink(4, { ipv6LinkLocal: false }),
    16,
    [[26], [26, 10]],
  ],
  [
    'ip link del 7',
    '2000000011000500e14d016b0000000000000000070000000000000000000000',
    deleteLink(7),
    16,
    [],
  ],
  [
    'ip addr add 172.17.0.2/16 brd 172.17.255.255 dev d0',
    '3000000014000506e04d016b00000000021000000400000008000200ac11000208000400ac11ffff08000100ac110002',
    addAddress({ link: 4, address: '172.17.0.2', prefixLength: 16 }),
    8,
    [],
  ],
  [
    'ip neigh replace 10.1.0.9 lladdr 02:42:0a:01:00:09 dev br0 nud permanent',
    '300000001c000505e14d016b00000000020000000200000080000000080001000a0100090a00020002420a0100090000',
    replaceNeighbour({ link: 2, address: '10.1.0.9', mac: '02:42:0a:01:00:09' }),
    12,
    [],
  ],
  [
    'bridge fdb replace 02:42:0a:01:00:09 dev vx0 dst 10.9.0.3 self master static',
    '300000001c000505e14d016b000000000700000005000000420006000a00020002420a0100090000080001000a090003',
    replaceForwarding({ link: 5, mac: '02:42:0a:01:00:09', host: '10.9.0.3' }),
    12,
    [],
  ],
]

/** A message without what is not compared, as a tree with sorted attributes. */
function treeOf(message: Buffer, fixed: number, nested: number[][]): object {
  const ack = 0x004
  const flags = message.readUInt16LE(6) & ~ack
  const attributes = (bytes: Buffer, path: number[]): [number, unknown][] =>
    [...decodeAttributes(bytes)]
      .map(([type, value]): [number, unknown] => {
        const here = [...path, type]
        const inner = nested.some((one) => `${one}` === `${here}`)
        return [type, inner ? attributes(value, here) : value.toString('hex')]
      })
      .sort(([a], [b]) => a - b)
  return {
    type: message.readUInt16LE(4),
    flags,
    header: message.toString('hex', 16, 16 + fixed),
    attributes: attributes(message.subarray(16 + fixed), []),
  }
}

/** The peer inside a veth's request is a header and attributes again: sorted too. */
function sortPeer(tree: object): string {
  return JSON.stringify(tree, (_key, value) => {
    if (typeof value !== 'string' || value.length < 32 + 24) return value
    const bytes = Buffer.from(value, 'hex')
    if (bytes.readUInt16LE(0) < 4 && bytes.length > 16) {
      return [value.slice(0, 32), ...[...decodeAttributes(bytes.subarray(16))].map(String).sort()]
    }
    return decodeAttributes(bytes).has(1)
      ? [...decodeAttributes(bytes)].map(([type, inner]) => [
          type,
          inner.toString('hex', 0, 16),
          [...decodeAttributes(inner.subarray(16))].map(([t, v]) => `${t} ${v.toString('hex')}`).sort(),
        ])
      : value
  })
}

describe('netlink requests', () => {
  it.each(recorded)('%s is what iproute2 sends', (_command, hex, ours, fixed, nested) => {
    const theirs = treeOf(Buffer.from(hex, 'hex'), fixed, nested)
    expect(sortPeer(treeOf(encodeMessage(ours, 1, 0), fixed, nested))).toBe(sortPeer(theirs))
  })

  it('leave out the broadcast address where there is none', () => {
    const attributes = (prefixLength: number) =>
      decodeAttributes(
        Buffer.from(addAddress({ link: 1, address: '10.0.0.1', prefixLength }).body).subarray(8),
      )
    expect(attributes(24).get(4)?.toString('hex')).toBe('0a0000ff')
    expect(attributes(31).has(4)).toBe(false)
    expect(attributes(0).get(4)?.toString('hex')).toBe('ffffffff')
  })

  it('say what they do, for errors', () => {
    expect(deleteAddress({ link: 1, address: '10.0.0.1', prefixLength: 24 }).what).toBe(
      'delete address 10.0.0.1/24',
    )
    expect(replaceRoute({ destination: '0.0.0.0', prefixLength: 0, gateway: '10.0.0.1' }).what).toBe(
      'set default route',
    )
    expect(deleteNeighbour({ link: 1, address: '10.0.0.1' }).tolerate).toContain('ENOENT')
    expect(deleteForwarding({ link: 1, mac: '02:42:0a:01:00:09' })).toHaveLength(2)
  })
})

describe('the netlink wire', () => {
  it('reads back any attributes that it wrote', () => {
    const attribute = fc.record({
      type: fc.integer({ min: 1, max: 0x3fff }),
      value: fc.uint8Array({ maxLength: 40 }),
    })
    fc.assert(
      fc.property(fc.uniqueArray(attribute, { selector: ({ type }) => type }), (attributes) => {
        const read = [...decodeAttributes(encodeAttributes(attributes))]
        expect(read.map(([type, value]) => [type, value.toString('hex')])).toEqual(
          attributes.map(({ type, value }) => [type, Buffer.from(value).toString('hex')]),
        )
      }),
    )
  })

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const { body } of decodeMessages(Buffer.from(bytes))) decodeAttributes(body)
      }),
    )
  })

  it('splits a datagram into its messages and leaves out a cut one', () => {
    const request = { what: 'x', type: 16, flags: 0, body: Buffer.alloc(5) }
    const datagram = Buffer.concat([encodeMessage(request, 7, 0), encodeMessage(request, 8, 0)])
    expect(decodeMessages(datagram).map(({ sequence }) => sequence)).toEqual([7, 8])
    expect(decodeMessages(datagram.subarray(0, -8))).toHaveLength(1)
  })

  it("reads an error's number and the kernel's words", () => {
    const words = encodeAttributes([{ type: 1, value: Buffer.from('no such thing\0') }])
    const errno = Buffer.alloc(4)
    errno.writeInt32LE(-22)
    const body = Buffer.concat([errno, Buffer.alloc(16), words])
    expect(decodeError({ type: 2, flags: 0x300, sequence: 1, body })).toEqual({
      errno: 22,
      words: 'no such thing',
    })
    expect(decodeError({ type: 2, flags: 0, sequence: 1, body })).toEqual({ errno: 22 })
  })

  it('reads and writes addresses', () => {
    const bytes = fc.uint8Array({ minLength: 4, maxLength: 4 })
    fc.assert(fc.property(bytes, (b) => ipv4Bytes(formatIpv4(b)).equals(b)))
    const mac = fc.uint8Array({ minLength: 6, maxLength: 6 })
    fc.assert(fc.property(mac, (b) => macBytes(formatMac(b)).equals(b)))
    for (const bad of ['1.2.3', '1.2.3.256', '1.2.3.4.5', '', 'a.b.c.d', '1.2.3.-4']) {
      expect(() => ipv4Bytes(bad)).toThrow(RangeError)
    }
    expect(() => macBytes('02:42:ac:11:00')).toThrow(RangeError)
  })
})
