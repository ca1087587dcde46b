import { describe, expect, it } from 'vitest'
import { formatBytes, humanDuration, parseBytes, parseDuration } from '../../../src/shared/units.ts'

describe('units', () => {
  it.each([
    ['64m', 64 * 2 ** 20],
    ['1.5g', 1.5 * 2 ** 30],
    ['512', 512],
    ['10KB', 10240],
    ['2GiB', 2 ** 31],
    ['100b', 100],
  ])('reads %s as %i bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes))

  it.each(['', 'm', '-1', '1x', '1 2'])('does not read %j as bytes', (text) => {
    expect(parseBytes(text)).toBeUndefined()
  })

  it.each([
    [0, '0B'],
    [999, '999B'],
    [1_500_000, '1.5MB'],
    [231_400_000, '231MB'],
  ])('shows %i bytes as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

  it.each([
    ['1m30s', 90e9],
    ['500ms', 5e8],
    ['1.5h', 5400e9],
    ['0', 0],
  ])('reads %s as nanoseconds', (text, ns) => expect(parseDuration(text)).toBe(ns))

  it.each(['', '5', 's', '1d', '1s x'])('does not read %j as a duration', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })

  it.each([
    [500, 'Less than a second'],
    [1000, '1 second'],
    [59_000, '59 seconds'],
    [60_000, 'About a minute'],
    [3_000_000, '50 minutes'],
    [3_600_000, 'About an hour'],
    [47 * 3_600_000, '47 hours'],
    [72 * 3_600_000, '3 days'],
  ])('says %i ms as %s', (ms, text) => expect(humanDuration(ms)).toBe(text))
})
