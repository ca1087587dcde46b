import { expect, test } from 'vitest'
import { type Ec2World, ec2Worlds, runEc2Matrix, runEc2Walks } from '../../support/ec2-worlds.ts'

for (const name of Object.keys(ec2Worlds) as Ec2World[]) {
  test(`no fault at any call leaves anything on an EC2 ${name}`, async () => {
    const { failures, combinations } = await runEc2Matrix(name)
    expect(failures).toEqual([])
    expect(combinations).toBeGreaterThan(400)
  })

  test(`no row of several faults leaves anything on an EC2 ${name}`, async () => {
    expect(await runEc2Walks(name, 300)).toEqual([])
  })
}
