import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseAddress, isUsable, macOf } from '../../../../src/engine/network/addresses.ts'
import {
  contains,
  encloses,
  formatIpv4,
  formatSubnet,
  lastOf,
  overlaps,
  parseCidr,
  parseIpv4,
  parseSubnet,
  sizeOf,
  subnetOf,
} from '../../../../src/engine/network/ipv4.ts'
import { candidates, chooseSubnet } from '../../../../src/engine/network/pools.ts'

const address = fc.integer({ min: 0, max: 0xffffffff })
const subnet = fc.tuple(address, fc.integer({ min: 8, max: 30 })).map(([a, length]) => subnetOf(a, length))

describe('IPv4 addresses and subnets', () => {
  it('are read as they are written', () => {
    fc.assert(fc.property(address, (a) => parseIpv4(formatIpv4(a)) === a))
    fc.assert(fc.property(subnet, (s) => formatSubnet(parseSubnet(formatSubnet(s))!) === formatSubnet(s)))
  })

  it.each(['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1.2.3.a', '1.2.3.4 ', '::1'])(
    '%j is no address',
    (text) => {
      expect(parseIpv4(text)).toBeUndefined()
    },
  )

  it('are no subnet with bits beyond the prefix', () => {
    expect(parseSubnet('172.17.0.1/16')).toBeUndefined()
    expect(parseSubnet('172.17.0.0/33')).toBeUndefined()
    expect(parseCidr('172.17.0.1/16')).toEqual({ address: 0xac110001, subnet: parseSubnet('172.17.0.0/16') })
  })

  it('overlap when they share an address', () => {
    fc.assert(
      fc.property(subnet, subnet, (a, b) => {
        const shares = contains(a, b.first) || contains(a, lastOf(b)) || contains(b, a.first)
        return overlaps(a, b) === shares && overlaps(a, b) === overlaps(b, a) && encloses(a, a)
      }),
    )
  })
})

describe("an endpoint's address", () => {
  it('is in the range, usable, free, and the lowest of those', () => {
    const small = fc
      .tuple(address, fc.integer({ min: 24, max: 30 }))
      .map(([a, length]) => subnetOf(a, length))
    fc.assert(
      fc.property(small, fc.infiniteStream(fc.boolean()), (s, stream) => {
        const taken = new Set<number>()
        for (let a = s.first; a <= lastOf(s); a++) if (stream.next().value) taken.add(a)
        const chosen = chooseAddress({ subnet: s }, (a) => taken.has(a))
        const free = Array.from({ length: sizeOf(s) }, (_, i) => s.first + i).filter(
          (a) => isUsable({ subnet: s }, a) && !taken.has(a),
        )
        return chosen === free[0]
      }),
    )
  })

  it('is never handed out twice, whatever is taken and freed in whatever order', () => {
    const s = parseSubnet('10.0.0.0/28')!
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant('take' as const), fc.nat(12)), { maxLength: 60 }),
        (steps) => {
          const taken: number[] = []
          for (const step of steps) {
            if (step !== 'take') {
              taken.splice(step, 1)
              continue
            }
            const a = chooseAddress({ subnet: s }, (one) => taken.includes(one) || one === s.first + 1)
            if (a === undefined) expect(taken).toHaveLength(13)
            else if (taken.includes(a)) return false
            else taken.push(a)
          }
          return true
        },
      ),
    )
  })

  it('comes from the range where there is one', () => {
    const [whole, range] = [parseSubnet('10.0.0.0/16')!, parseSubnet('10.0.5.0/24')!]
    expect(chooseAddress({ subnet: whole, range }, () => false)).toBe(range.first)
    expect(chooseAddress({ subnet: whole, range }, () => true)).toBeUndefined()
  })

  it("has Docker's hardware address", () => {
    expect(macOf(parseIpv4('172.17.0.2')!)).toBe('02:42:ac:11:00:02')
  })
})

describe('a subnet that nobody asked for', () => {
  it("is the first free one of Docker's pools", () => {
    const first = [...candidates()].slice(0, 3).map(formatSubnet)
    expect(first).toEqual(['172.17.0.0/16', '172.18.0.0/16', '172.19.0.0/16'])
    expect([...candidates()].map(formatSubnet)).toHaveLength(15 + 16)
    expect(formatSubnet([...candidates()].at(-1)!)).toBe('192.168.240.0/20')
  })

  it('overlaps nothing that is taken', () => {
    fc.assert(
      fc.property(fc.array(subnet, { maxLength: 20 }), (taken) => {
        const chosen = chooseSubnet(taken)
        return chosen === undefined || !taken.some((other) => overlaps(other, chosen))
      }),
    )
    expect(chooseSubnet([parseSubnet('172.16.0.0/12')!, parseSubnet('192.168.0.0/16')!])).toBeUndefined()
  })
})
