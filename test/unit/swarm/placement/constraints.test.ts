import { describe, expect, it } from 'vitest'
import { meets, parseConstraint } from '../../../../src/swarm/placement/constraints.ts'
import type { Node } from '../../../../src/swarm/store/objects/node.ts'

const node: Node = {
  ID: 'n1',
  Version: { Index: 1 },
  CreatedAt: '',
  UpdatedAt: '',
  Spec: { Labels: { Zone: 'North', 'com.example.disk': 'ssd' }, Role: 'manager', Availability: 'active' },
  Description: {
    Hostname: 'Alpha',
    Platform: { Architecture: 'x86_64', OS: 'linux' },
    Resources: {},
    Engine: { EngineVersion: '1', Labels: { gpu: 'yes' } },
  },
  Status: { State: 'ready', Addr: '10.1.2.3' },
  DataPathAddr: '10.1.2.3',
}

describe('a constraint', () => {
  it.each([
    ['node.id==n1', true],
    ['node.id != n1', false],
    ['node.hostname == alpha', true],
    ['NODE.ROLE==manager', true],
    ['node.role!=manager', false],
    ['node.platform.os==linux', true],
    ['node.platform.arch==amd64', true],
    ['node.platform.arch==x86_64', true],
    ['node.labels.Zone==north', true],
    ['node.labels.zone==north', false],
    ['node.labels.com.example.disk!=hdd', true],
    ['node.labels.none!=x', true],
    ['engine.labels.gpu==yes', true],
    ['node.ip==10.1.2.3', true],
    ['node.ip==10.1.0.0/16', true],
    ['node.ip!=10.1.0.0/16', false],
    ['node.ip==10.2.0.0/16', false],
  ])('%s is %s of the node', (text, expected) => {
    expect(meets(node, parseConstraint(text))).toBe(expected)
  })

  it.each([
    '',
    'node.id',
    'node.id=n1',
    'node.color==red',
    'node.labels.==x',
    'node.id==',
    '==x',
    'no de.id==x',
  ])('%j is refused', (text) =>
    expect(() => parseConstraint(text)).toThrow(expect.objectContaining({ code: 'E_CONSTRAINT_INVALID' })),
  )
})
