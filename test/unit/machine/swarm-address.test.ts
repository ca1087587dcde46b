import { describe, expect, it } from 'vitest'
import { managerAddress, ownAddresses } from '../../../src/machine/swarm-address.ts'

describe("a machine's address in its swarm", () => {
  it('is the one that the machine is known by', async () => {
    expect(await ownAddresses('192.0.2.1')).toEqual({
      ListenAddr: '0.0.0.0:2377',
      AdvertiseAddr: '192.0.2.1:2377',
    })
    expect(await managerAddress('192.0.2.1')).toBe('192.0.2.1:2377')
  })

  it('of IPv6 stands in brackets, and is listened on', async () => {
    expect(await ownAddresses('fd00::1')).toEqual({
      ListenAddr: '[::]:2377',
      AdvertiseAddr: '[fd00::1]:2377',
    })
    expect(await managerAddress('fd00::1')).toBe('[fd00::1]:2377')
  })

  it('of a machine known by its name is found by the client, and told as an address', async () => {
    expect(await managerAddress('localhost')).toBe('127.0.0.1:2377')
    await expect(managerAddress('nowhere.invalid')).rejects.toMatchObject({ code: 'E_ENGINE_SILENT' })
  })

  it("is left to the engine where the name is the client's own host", async () => {
    expect(await ownAddresses('localhost')).toEqual({ ListenAddr: '0.0.0.0:2377' })
  })
})
