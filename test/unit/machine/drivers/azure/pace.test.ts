import { describe, expect, test } from 'vitest'
import { backoffMs, PollTimes, pause, retryAfterMs } from '../../../../../src/machine/drivers/azure/pace.ts'
import { systemClock } from '../../../../../src/shared/clock.ts'

const now = Date.parse('2026-01-01T00:00:00Z')

describe('when to ask again', () => {
  test.each([
    ['7', 7_000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:00:05 GMT', 5_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['86400', 60_000],
    ['soon', undefined],
    [undefined, undefined],
  ])('is read out of %s as %s ms', (value, ms) => expect(retryAfterMs(value, now)).toBe(ms))

  test('grows to half a minute, and differs between clients', () => {
    expect([0, 1, 2].map((attempt) => backoffMs(attempt, () => 1))).toEqual([500, 1_000, 2_000])
    expect(backoffMs(50, () => 1)).toBe(30_000)
    expect(backoffMs(3, () => 0)).toBe(2_000)
  })

  test('is kept for an operation whatever its query is', () => {
    const times = new PollTimes()
    times.note('https://arm.test/operations/1?api-version=1', 3_000)
    expect(times.of('https://arm.test/operations/1?api-version=2&x=1')).toBe(3_000)
    expect(times.of('https://arm.test/operations/2')).toBeUndefined()
    times.note('https://arm.test/operations/1', undefined)
    expect(times.of('https://arm.test/operations/1')).toBeUndefined()
  })

  test('ends at once when it is aborted', async () => {
    const abort = new AbortController()
    const waiting = pause(systemClock, 60_000, abort.signal)
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(pause(systemClock, 60_000, abort.signal)).rejects.toThrow('enough')
  })
})
