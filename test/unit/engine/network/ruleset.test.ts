import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { containerRules } from '../../../../src/engine/network/container-rules.ts'
import {
  addNetworkRules,
  addPortRules,
  balanced,
  removeNetworkRules,
  swarmRules,
} from '../../../../src/engine/network/host-rules.ts'
import {
  applyChanges,
  changesBetween,
  emptyRuleset,
  type RuleChange,
  type Ruleset,
  renderChanges,
  renderTable,
  undoOf,
} from '../../../../src/engine/network/ruleset.ts'

const name = fc.constantFrom('a', 'b', 'c')
const rulesets = fc
  .tuple(
    fc.dictionary(name, fc.dictionary(name, fc.constantFrom('', 'x', 'y'))),
    fc.dictionary(name, fc.array(fc.constantFrom('accept', 'drop'), { maxLength: 2 })),
  )
  .map(
    ([sets, chains]): Ruleset => ({
      ...emptyRuleset('t', ''),
      sets: new Map(Object.entries(sets).map(([set, elements]) => [set, new Map(Object.entries(elements))])),
      chains: new Map(Object.entries(chains)),
    }),
  )

/** Comparable, with empty sets and chains' order left out. */
function contentOf({ sets, chains }: Pick<Ruleset, 'sets' | 'chains'>): unknown {
  return {
    sets: [...sets]
      .filter(([, elements]) => elements.size > 0)
      .map(([set, e]) => [set, [...e].sort()])
      .sort(),
    chains: [...chains].sort(),
  }
}

const copy = (ruleset: Ruleset): Ruleset => structuredClone(ruleset)

describe('the changes between two rulesets', () => {
  it('turn the one into the other', () => {
    fc.assert(
      fc.property(rulesets, rulesets, (before, wanted) => {
        const now = copy(before)
        applyChanges(now, changesBetween(before, wanted))
        expect(contentOf(now)).toEqual(contentOf(wanted))
      }),
    )
  })

  it('are none where the two are equal', () => {
    fc.assert(
      fc.property(rulesets, (ruleset) => {
        expect(changesBetween(ruleset, copy(ruleset))).toEqual([])
        expect(renderChanges('t', [])).toBe('')
      }),
    )
  })

  it('can be taken back', () => {
    fc.assert(
      fc.property(rulesets, rulesets, (before, wanted) => {
        const changes = changesBetween(before, wanted)
        const now = copy(before)
        applyChanges(now, changes)
        applyChanges(now, undoOf(before, changes))
        expect(contentOf(now)).toEqual(contentOf(before))
      }),
    )
  })

  it('are written so that nothing is used before it is there nor taken away while it is used', () => {
    const changes: RuleChange[] = [
      { kind: 'removeChain', chain: 'old' },
      { kind: 'add', set: 'm', element: 'tcp . 80', value: 'goto new' },
      { kind: 'remove', set: 'm', element: 'tcp . 80' },
      { kind: 'chain', chain: 'new', rules: ['accept'] },
    ]
    expect(renderChanges('t', changes)).toBe(
      [
        'add chain ip t new',
        'flush chain ip t new',
        'add rule ip t new accept',
        'delete element ip t m { tcp . 80 }',
        'add element ip t m { tcp . 80 : goto new }',
        'flush chain ip t old',
        'delete chain ip t old',
        '',
      ].join('\n'),
    )
  })
})

describe("the host's table", () => {
  const network = { bridge: 'br', subnet: '172.17.0.0/16', masquerade: true, internal: false }

  it('has as many changes for a network that goes as for one that comes', () => {
    for (const one of [network, { ...network, internal: true }, { ...network, nodeAddress: '172.17.0.9' }]) {
      const ruleset = emptyRuleset('t', '')
      applyChanges(ruleset, addNetworkRules(one))
      expect(ruleset.sets.get('subnets')?.size).toBe(1)
      applyChanges(ruleset, removeNetworkRules(one))
      expect(contentOf(ruleset)).toEqual(contentOf(emptyRuleset('t', '')))
    }
  })

  it('does not masquerade an internal network', () => {
    const sets = (internal: boolean) =>
      addNetworkRules({ ...network, internal }).map((c) => 'set' in c && c.set)
    expect(sets(false)).toEqual(['subnets', 'homes', 'bridges', 'masqueraded'])
    expect(sets(true)).toEqual(['subnets', 'homes', 'bridges', 'internal', 'internal_pairs'])
  })

  it('tells a port on one address of the host from one on all', () => {
    const port = { protocol: 'tcp' as const, hostPort: 8080, address: '172.17.0.2', port: 80 }
    expect(
      addPortRules([
        { ...port, hostAddress: '0.0.0.0' },
        { ...port, hostAddress: '127.0.0.1' },
      ]),
    ).toEqual([
      { kind: 'add', set: 'ports', element: 'tcp . 8080', value: '172.17.0.2 . 80' },
      { kind: 'add', set: 'ports_at', element: '127.0.0.1 . tcp . 8080', value: '172.17.0.2 . 80' },
    ])
  })

  it('takes endpoints in turn, beginning anywhere', () => {
    expect(balanced(['10.0.0.2'], 80, 'x')).toBe('10.0.0.2:80')
    expect(balanced(['10.0.0.2'], undefined, 'x')).toBe('10.0.0.2')
    const starts = new Set(
      Array.from({ length: 50 }, (_, i) => balanced(['10.0.0.2', '10.0.0.3'], undefined, `seed${i}`)),
    )
    expect([...starts].sort()).toEqual([
      'numgen inc mod 2 map { 0 : 10.0.0.2, 1 : 10.0.0.3 }',
      'numgen inc mod 2 map { 0 : 10.0.0.3, 1 : 10.0.0.2 }',
    ])
  })

  it('balances the ports of the swarm', () => {
    const ingress = {
      protocol: 'udp' as const,
      publishedPort: 53,
      targetPort: 5353,
      endpoints: [{ address: '10.0.0.2', local: true }],
    }
    const { sets, chains } = swarmRules([], [ingress], 'x')
    expect([...chains]).toEqual([['ingress_udp_53', ['meta l4proto udp dnat ip to 10.0.0.2:5353']]])
    expect([...sets.get('local_tasks')!.keys()]).toEqual(['10.0.0.2'])
    expect(sets.get('ingress')?.get('udp . 53')).toBe('goto ingress_udp_53')
  })

  it('is replaced as a whole in one transaction', () => {
    const ruleset = emptyRuleset('t', 'set s { type ipv4_addr; }')
    applyChanges(ruleset, [{ kind: 'add', set: 's', element: '1.2.3.4', value: '' }])
    expect(renderTable(ruleset)).toBe(
      'add table ip t\ndelete table ip t\ntable ip t {\nset s { type ipv4_addr; }\n}\nadd element ip t s { 1.2.3.4 }\n',
    )
  })
})

describe("a container's table", () => {
  it('leads questions for names to the resolver and virtual addresses to tasks, and refuses where there is none', () => {
    const { sets, chains } = containerRules(
      {
        resolver: { udpPort: 1001, tcpPort: 1002 },
        virtualAddresses: [
          { address: '10.0.0.5', endpoints: ['10.0.0.6'] },
          { address: '10.0.0.7', endpoints: [] },
        ],
      },
      'x',
    )
    expect(Object.fromEntries(sets.get('services')!)).toEqual({
      '127.0.0.11 . udp . 53': '127.0.0.11 . 1001',
      '127.0.0.11 . tcp . 53': '127.0.0.11 . 1002',
    })
    expect([...sets.get('virtual')!]).toEqual([['10.0.0.5', 'goto to_10_0_0_5']])
    expect([...sets.get('refused')!]).toEqual([['10.0.0.7', '']])
    expect([...chains]).toEqual([['to_10_0_0_5', ['dnat to 10.0.0.6']]])
  })
})
