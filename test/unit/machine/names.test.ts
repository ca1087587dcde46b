import { expect, test } from 'vitest'
import { makeUpName } from '../../../src/machine/names.ts'
import { isMachineName, type Store } from '../../../src/machine/store/store.ts'

test('makeUpName gives names that machines may have, and not one that is taken', async () => {
  const taken: string[] = []
  const store = { list: async () => taken.map((name) => ({ name })) } as unknown as Store
  for (let i = 0; i < 200; i++) {
    const name = await makeUpName(store)
    expect(isMachineName(name)).toBe(true)
    expect(taken).not.toContain(name)
    taken.push(name)
  }
})
