import { describe, expect, test } from 'vitest'
import {
  candidatesOf,
  clientToken,
  describeCandidate,
} from '../../../../../src/machine/drivers/ec2/candidates.ts'
import { tailOf } from '../../../../../src/machine/drivers/ec2/console.ts'
import { families, newestImage } from '../../../../../src/machine/drivers/ec2/image.ts'
import { orderSubnets } from '../../../../../src/machine/drivers/ec2/network.ts'
import { missingRules, wantedRules } from '../../../../../src/machine/drivers/ec2/rules.ts'

describe('the image', () => {
  const [ubuntu, debian] = families
  const named = (...names: string[]) =>
    names.map((Name, i) => ({ Name, ImageId: `ami-${i}`, CreationDate: `2026-0${i + 1}-01T00:00:00.000Z` }))

  test('is the newest of the newest LTS, not of the newest release', () => {
    const images = named(
      'ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101',
      'ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260201',
      'ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20260301',
      'ubuntu/images/hvm-ssd-gp3/ubuntu-plucky-25.04-amd64-server-20260401',
      'ubuntu/images/hvm-ssd-gp3/ubuntu-oracular-24.10-amd64-server-20260501',
    )
    expect(newestImage(images, ubuntu!)?.ImageId).toBe('ami-1')
    expect(newestImage(images.slice(3), ubuntu!)).toBeUndefined()
  })

  test('of Debian is ordered by number', () => {
    const images = named('debian-9-amd64-1', 'debian-12-amd64-2', 'debian-11-amd64-3', 'debian-sid-amd64-4')
    expect(newestImage(images, debian!)?.Name).toBe('debian-12-amd64-2')
  })

  test('is looked for by the architecture, as its maker writes it', () => {
    expect(ubuntu!.pattern('arm64')).toContain('-arm64-server-')
    expect(debian!.pattern('x86_64')).toBe('debian-*-amd64-*')
  })
})

describe('the subnets', () => {
  const all = [
    { id: 'b1', zone: 'us-east-1b', isDefault: false },
    { id: 'b2', zone: 'us-east-1b', isDefault: true },
    { id: 'a1', zone: 'us-east-1a', isDefault: false },
  ]
  test('are one a zone, a default one where there is', () => {
    expect(orderSubnets(all, [], 'us-east-1').map(({ id }) => id)).toEqual(['a1', 'b2'])
  })
  test('follow the zones that were given, by letter or by name', () => {
    expect(orderSubnets(all, ['b', 'us-east-1a', 'c'], 'us-east-1').map(({ id }) => id)).toEqual(['b2', 'a1'])
  })
})

describe('the candidates', () => {
  const made = {
    types: [
      { name: 't3.small', architecture: 'x86_64' },
      { name: 't4g.small', architecture: 'arm64' },
    ],
    subnets: [
      { id: 's-a', zone: 'a' },
      { id: 's-b', zone: 'b' },
    ],
  }
  test('go through spot before on demand, and all zones before the next type', () => {
    const names = candidatesOf(made, { isSpot: true, isSpotOnly: false }).map(describeCandidate)
    expect(names.slice(0, 5)).toEqual([
      't3.small in a (spot)',
      't3.small in b (spot)',
      't4g.small in a (spot)',
      't4g.small in b (spot)',
      't3.small in a',
    ])
    expect(candidatesOf(made, { isSpot: true, isSpotOnly: true })).toHaveLength(4)
  })

  test('have a token each, the same in every run, of at most 64 characters', () => {
    const all = candidatesOf(made, { isSpot: true, isSpotOnly: false })
    const tokens = all.flatMap((one) => [0, 1].map((attempt) => clientToken('0123456789ab', one, attempt)))
    expect(new Set(tokens).size).toBe(16)
    for (const token of tokens) expect(token.length).toBeLessThanOrEqual(64)
    expect(tokens[0]).toBe(clientToken('0123456789ab', structuredClone(all[0]!), 0))
    expect(tokens[0]).not.toBe(clientToken('ba9876543210', all[0]!, 0))
  })
})

describe('the rules', () => {
  const given = { group: 'sg-1', allowFrom: ['192.0.2.0/24', '2001:db8::/32'], sshPort: 22, openPorts: [] }

  test('are SSH and the engine for each network, and all between the machines', () => {
    const rules = wantedRules(given)
    expect(rules).toHaveLength(5)
    expect(rules[1]).toEqual({
      IpProtocol: 'tcp',
      FromPort: 2376,
      ToPort: 2376,
      IpRanges: [{ CidrIp: '192.0.2.0/24' }],
    })
    expect(rules[2]).toMatchObject({ FromPort: 22, Ipv6Ranges: [{ CidrIpv6: '2001:db8::/32' }] })
    expect(rules[4]).toEqual({ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: 'sg-1' }] })
  })

  test('that are there already, also as parts of others, are not missing', () => {
    const wanted = wantedRules(given)
    const there = [
      {
        IpProtocol: 'tcp',
        FromPort: 22,
        ToPort: 22,
        IpRanges: [{ CidrIp: '192.0.2.0/24' }, { CidrIp: '198.51.100.1/32' }],
        Ipv6Ranges: [{ CidrIpv6: '2001:db8::/32' }],
      },
      { IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: 'sg-1', UserId: '111122223333' }] },
    ]
    expect(missingRules(there, wanted).map(({ FromPort }) => FromPort)).toEqual([2376, 2376])
    expect(missingRules(undefined, wanted)).toEqual(wanted)
  })
})

test('the end of a console is shown without what steers a terminal', () => {
  const lines = Array.from({ length: 30 }, (_, i) => `\x1b[0;32mline ${i}\x1b[0m\r\n\r\n`).join('')
  expect(tailOf(lines).split('\n')).toHaveLength(12)
  expect(tailOf(lines)).toMatch(/^line 18\n.*line 29$/s)
  expect(tailOf('')).toBe('')
})
