import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { joinAddress, splitAddress } from '../../../../src/swarm/wire/address.ts'
import { encodeFrame, FrameReader } from '../../../../src/swarm/wire/frames.ts'
import { Liveness } from '../../../../src/swarm/wire/liveness.ts'

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' })),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (texts, cuts) => {
          const stream = Buffer.concat(texts.map(encodeFrame))
          const reader = new FrameReader(1000)
          const read: string[] = []
          for (let at = 0; at < stream.length; ) {
            const size = cuts.next().value!
            read.push(...reader.push(stream.subarray(at, at + size)))
            at += size
          }
          expect(read).toEqual(texts)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('are refused when they announce more than the limit', () => {
    const reader = new FrameReader(10)
    expect(reader.push(encodeFrame('1234567890'))).toEqual(['1234567890'])
    expect(() => reader.push(encodeFrame('12345678901').subarray(0, 4))).toThrow(RangeError)
  })
})

describe('liveness', () => {
  const run = (liveness: Liveness, from: number, to: number) => {
    const silent: [number, string][] = []
    for (let now = from; now <= to; now += 100) for (const id of liveness.tick(now)) silent.push([now, id])
    return silent
  }

  it('names those who were silent for their grace, once', () => {
    const liveness = new Liveness(100, 0)
    liveness.expect('a', 0, 1000)
    liveness.expect('b', 0, 1000)
    expect(run(liveness, 100, 900)).toEqual([])
    liveness.heard('b', 950, 1000)
    expect(run(liveness, 1000, 3000)).toEqual([
      [1000, 'a'],
      [2000, 'b'],
    ])
  })

  it('expects nothing of those it was told to forget, nor of strangers', () => {
    const liveness = new Liveness(100, 0)
    liveness.expect('a', 0, 500)
    liveness.forget('a')
    liveness.heard('b', 0, 100)
    expect(run(liveness, 100, 2000)).toEqual([])
  })

  it('does not hold its own stall against others', () => {
    const liveness = new Liveness(100, 0)
    liveness.expect('a', 0, 1000)
    liveness.tick(100)
    expect(liveness.tick(4100)).toEqual([])
    expect(run(liveness, 4200, 6000)).toEqual([[4900, 'a']])
  })
})

describe('addresses', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1', 2377],
    ['10.0.0.1:99', '10.0.0.1', 99],
    ['host', 'host', 2377],
    ['[fe80::1]:5', 'fe80::1', 5],
    ['[fe80::1]', 'fe80::1', 2377],
    ['fe80::1', 'fe80::1', 2377],
  ])('%s is host %s and port %i', (text, host, port) => {
    expect(splitAddress(text)).toEqual({ host, port })
    expect(splitAddress(joinAddress(host, port))).toEqual({ host, port })
  })
})
