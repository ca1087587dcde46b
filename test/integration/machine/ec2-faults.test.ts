import { expect, test } from 'vitest'
import { runEc2Matrix, runEc2Walks } from '../../support/ec2-worlds.ts'

// The other worlds of the same matrix take longer: test/long/machine/ec2-faults.test.ts.
test('no fault at any call of create, start, stop and rm leaves anything on EC2', {
  timeout: 600_000,
}, async () => {
  const { failures, combinations } = await runEc2Matrix('prompt')
  expect(failures).toEqual([])
  expect(combinations).toBeGreaterThan(500)
})

test('no row of several faults does, either', { timeout: 600_000 }, async () => {
  expect(await runEc2Walks('hiding, without client tokens', 60)).toEqual([])
})
