import { describe, expect, it } from 'vitest'
import { Slots } from '../../../../src/swarm/wire/slots.ts'

describe('places', () => {
  it('are limited, of all and of one address, and come back once', () => {
    const slots = new Slots(3, 2)
    const [first, second] = [slots.take('a'), slots.take('a')]
    expect([first, second].every(Boolean)).toBe(true)
    expect(slots.take('a')).toBeUndefined()
    expect(slots.take('b')).toBeDefined()
    expect(slots.take('c')).toBeUndefined()
    first!()
    first!()
    expect(slots.take('c')).toBeDefined()
    expect(slots.take('a')).toBeUndefined()
  })
})
