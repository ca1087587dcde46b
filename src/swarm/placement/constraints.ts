/**
 * Placement constraints: `KEY==VALUE` or `KEY!=VALUE`, all of which a node must meet. Values are compared
 * without regard to case, as Swarm does; a label that a node doesn't have is the empty text.
 */
import { contains, parseAddress, parseBlock } from '../allocator/ip.ts'
import { fail } from '../errors.ts'
import type { Node } from '../store/objects/node.ts'

export interface Constraint {
  key: string
  equal: boolean
  value: string
}

const plainKeys = [
  'node.id',
  'node.hostname',
  'node.ip',
  'node.role',
  'node.platform.os',
  'node.platform.arch',
]
const labelKeys = ['node.labels.', 'engine.labels.']

/** @throws E_CONSTRAINT_INVALID */
export function parseConstraint(text: string): Constraint {
  const match = /^\s*([A-Za-z0-9._/-]+)\s*(==|!=)\s*(.*?)\s*$/.exec(text)
  if (!match) throw fail('E_CONSTRAINT_INVALID', { constraint: text, why: 'it has neither == nor !=' })
  const [, key, operator, value] = match as unknown as [string, string, string, string]
  const lower = key.toLowerCase()
  const isLabel = labelKeys.some((prefix) => lower.startsWith(prefix) && lower.length > prefix.length)
  if (!isLabel && !plainKeys.includes(lower)) {
    throw fail('E_CONSTRAINT_INVALID', { constraint: text, why: `${key} is not an attribute of nodes` })
  }
  if (value === '') throw fail('E_CONSTRAINT_INVALID', { constraint: text, why: 'it has no value' })
  return { key, equal: operator === '==', value }
}

export function meets(node: Node, constraint: Constraint): boolean {
  const { key, value } = constraint
  if (key.toLowerCase() === 'node.ip') return isIn(node.Status.Addr, value) === constraint.equal
  // Docker and the kernel have different names for the same processor; either is meant.
  const wanted = key.toLowerCase() === 'node.platform.arch' ? architecture(value) : value
  return (attributeOf(node, key).toLowerCase() === wanted.toLowerCase()) === constraint.equal
}

export function describeConstraint({ key, equal, value }: Constraint): string {
  return `${key}${equal ? '==' : '!='}${value}`
}

function attributeOf(node: Node, key: string): string {
  const lower = key.toLowerCase()
  const description = node.Description
  switch (lower) {
    case 'node.id':
      return node.ID
    case 'node.hostname':
      return description?.Hostname ?? ''
    case 'node.role':
      return node.Spec.Role
    case 'node.platform.os':
      return description?.Platform.OS ?? ''
    case 'node.platform.arch':
      return architecture(description?.Platform.Architecture)
  }
  // Labels keep their case: the prefix only is compared without.
  if (lower.startsWith('node.labels.')) return node.Spec.Labels[key.slice('node.labels.'.length)] ?? ''
  return description?.Engine.Labels?.[key.slice('engine.labels.'.length)] ?? ''
}

/** The kernel's name for a processor, which Docker's images call otherwise. */
export function architecture(name = ''): string {
  if (name === 'amd64') return 'x86_64'
  return name === 'arm64' ? 'aarch64' : name
}

function isIn(address: string, value: string): boolean {
  const block = parseBlock(value.includes('/') ? value : `${value}/32`)
  const number = parseAddress(address)
  return block !== undefined && number !== undefined && contains(block, number)
}
