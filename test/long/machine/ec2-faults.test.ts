import { expect, test } from 'vitest'
import { ec2Worlds, runEc2Matrix } from '../../support/ec2-worlds.ts'

for (const name of Object.keys(ec2Worlds) as (keyof typeof ec2Worlds)[]) {
  test(`no fault at any call leaves anything on an EC2 ${name}`, async () => {
    const { failures, combinations } = await runEc2Matrix(name)
    expect(failures).toEqual([])
    expect(combinations).toBeGreaterThan(500)
  })
}
