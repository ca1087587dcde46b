import { describe, expect, it } from 'vitest'
import { joinAddress, splitAddress } from '../../../../src/swarm/wire/address.ts'

describe("a node's address", () => {
  it.each([
    ['10.0.0.1', '10.0.0.1', 2377],
    ['10.0.0.1:7', '10.0.0.1', 7],
    ['web1.example.com:65535', 'web1.example.com', 65535],
    [':2378', '', 2378],
    ['fd00::1', 'fd00::1', 2377],
    ['[fd00::1]', 'fd00::1', 2377],
    ['10.0.0.1:0', '10.0.0.1', 0],
    ['[fd00::1]:7', 'fd00::1', 7],
  ])('%s has its parts', (address, host, port) => {
    expect(splitAddress(address)).toEqual({ host, port })
  })

  it.each(['h:99999', 'h:65536', 'h:', 'h:x', 'h:-1', 'h:1.5', '[fd00::1]:99999', '[fd00::1]:'])(
    '%s is refused for its port',
    (address) => {
      expect(() => splitAddress(address)).toThrow(
        expect.objectContaining({ code: 'E_ADDRESS_PORT', http: 400 }),
      )
    },
  )

  it('is put together so that it comes apart again', () => {
    expect(joinAddress('fd00::1', 7)).toBe('[fd00::1]:7')
    expect(joinAddress('h', 7)).toBe('h:7')
  })
})
