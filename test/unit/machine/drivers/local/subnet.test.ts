import { describe, expect, test } from 'vitest'
import {
  chooseAddress,
  chooseSubnet,
  formatSubnet,
  gatewayOf,
  overlaps,
  parseSubnet,
} from '../../../../../src/machine/drivers/local/subnet.ts'

const subnets = (...texts: string[]) => texts.map((text) => parseSubnet(text)!)

describe('parseSubnet', () => {
  const cases: [string, string | undefined][] = [
    ['192.168.200.0/24', '192.168.200.0/24'],
    ['192.168.200.77/24', '192.168.200.0/24'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['255.255.255.255/32', '255.255.255.255/32'],
    ['256.1.1.1/24', undefined],
    ['10.0.0.0/33', undefined],
    ['fd00::/64', undefined],
    ['', undefined],
  ]
  for (const [text, expected] of cases) {
    test(`"${text}"`, () => {
      const subnet = parseSubnet(text)
      expect(subnet && formatSubnet(subnet)).toBe(expected)
    })
  }
})

describe('overlaps', () => {
  const cases: [string, string, boolean][] = [
    ['10.0.0.0/8', '10.255.0.0/16', true],
    ['10.255.0.0/16', '10.0.0.0/8', true],
    ['192.168.1.0/24', '192.168.2.0/24', false],
    ['192.168.0.0/16', '192.168.255.255/32', true],
    ['128.0.0.0/1', '192.168.0.0/16', true],
  ]
  for (const [a, b, expected] of cases) {
    test(`${a} and ${b}`, () => expect(overlaps(parseSubnet(a)!, parseSubnet(b)!)).toBe(expected))
  }
})

describe('chooseSubnet', () => {
  test('takes the candidate of its seed, or the next free one', () => {
    expect(formatSubnet(chooseSubnet([], undefined, 0))).toBe('192.168.128.0/24')
    expect(formatSubnet(chooseSubnet(subnets('192.168.128.7'), undefined, 0))).toBe('192.168.129.0/24')
    expect(formatSubnet(chooseSubnet(subnets('192.168.254.0/24'), undefined, 126))).toBe('192.168.128.0/24')
  })

  test('says so when all candidates are covered', () => {
    expect(() => chooseSubnet(subnets('192.168.0.0/16'), undefined, 3)).toThrow(
      expect.objectContaining({ code: 'E_NO_SUBNET' }),
    )
  })

  const refused: [string, string][] = [
    ['10.9.0.0/24', 'E_NO_SUBNET'],
    ['172.20.0.0/30', 'E_OPTION'],
    ['172.20.0.0/8', 'E_OPTION'],
    ['172.20.0.1', 'E_OPTION'],
    ['nonsense', 'E_OPTION'],
  ]
  for (const [wanted, code] of refused) {
    test(`refuses ${wanted} with ${code}`, () => {
      expect(() => chooseSubnet(subnets('10.0.0.0/8'), wanted, 0)).toThrow(expect.objectContaining({ code }))
    })
  }

  test('takes the wanted one where nothing uses it', () => {
    expect(formatSubnet(chooseSubnet(subnets('10.0.0.0/8'), '172.20.5.0/26', 0))).toBe('172.20.5.0/26')
  })
})

describe('addresses of a subnet', () => {
  const subnet = parseSubnet('192.168.200.0/29')!
  test('the gateway has the first, machines the next ones that are free', () => {
    expect(gatewayOf(subnet)).toBe('192.168.200.1')
    expect(chooseAddress(subnet, [])).toBe('192.168.200.2')
    expect(chooseAddress(subnet, ['192.168.200.2', '192.168.200.4'])).toBe('192.168.200.3')
  })

  test('say so when they are used up, the broadcast address left out', () => {
    const all = [2, 3, 4, 5, 6].map((n) => `192.168.200.${n}`)
    expect(() => chooseAddress(subnet, all)).toThrow(expect.objectContaining({ code: 'E_NO_SUBNET' }))
  })
})
