import nock from 'nock'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Ec2Client } from '../../../../../src/machine/drivers/ec2/client.ts'
import { codeOf, judge } from '../../../../../src/machine/drivers/ec2/refusal.ts'
import { Throttle } from '../../../../../src/machine/drivers/ec2/throttle.ts'
import { useFakeCredentials } from '../../../../support/ec2-subject.ts'
import { JumpClock } from '../../../../support/fault-gate.ts'

const url = 'http://ec2.test'
const xml = { 'content-type': 'text/xml' }
const ok = '<DescribeVpcsResponse><requestId>0</requestId><vpcSet/></DescribeVpcsResponse>'
const error = (code: string) =>
  `<Response><Errors><Error><Code>${code}</Code><Message>so it is</Message></Error></Errors><RequestID>0</RequestID></Response>`

let clock: JumpClock
const open = () => {
  clock = new JumpClock()
  return Ec2Client.open({
    region: 'eu-north-1',
    endpoint: url,
    clock,
    throttle: new Throttle(clock),
    requestMs: 5_000,
    random: () => 0.5,
  })
}

beforeAll(() => {
  useFakeCredentials()
  nock.disableNetConnect()
})
afterEach(() => {
  const pending = nock.pendingMocks()
  nock.cleanAll()
  expect(pending).toEqual([])
})
afterAll(() => {
  nock.enableNetConnect()
  nock.restore()
})

describe('a call', () => {
  test('is what the query API wants: form fields, signed for region and service', async () => {
    let fields: Record<string, string> = {}
    let authorization = ''
    nock(url, {
      reqheaders: {
        authorization: (value) => {
          authorization = String(value)
          return true
        },
      },
    })
      .post('/', (body: Record<string, string>) => {
        fields = body
        return true
      })
      .reply(
        200,
        '<DescribeSubnetsResponse><subnetSet><item><subnetId>s-1</subnetId></item></subnetSet></DescribeSubnetsResponse>',
        xml,
      )
    const client = await open()
    const { Subnets } = await client.call('DescribeSubnets', {
      Filters: [{ Name: 'vpc-id', Values: ['vpc-1'] }],
    })
    expect(Subnets).toMatchObject([{ SubnetId: 's-1' }])
    expect({ ...fields }).toEqual({
      Action: 'DescribeSubnets',
      Version: '2016-11-15',
      'Filter.1.Name': 'vpc-id',
      'Filter.1.Value.1': 'vpc-1',
    })
    expect(authorization).toMatch(/Credential=AKIATEST\/\d{8}\/eu-north-1\/ec2\/aws4_request/)
  })

  test('of a launch has its token, tags and lists as EC2 reads them', async () => {
    let fields: Record<string, string> = {}
    nock(url)
      .post('/', (body: Record<string, string>) => {
        fields = body
        return true
      })
      .reply(
        200,
        '<RunInstancesResponse><instancesSet><item><instanceId>i-1</instanceId></item></instancesSet></RunInstancesResponse>',
        xml,
      )
    const client = await open()
    await client.call('RunInstances', {
      MinCount: 1,
      MaxCount: 1,
      ClientToken: 'token',
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'tsmachine:id', Value: '1' }] }],
      NetworkInterfaces: [{ DeviceIndex: 0, Groups: ['sg-1'] }],
    })
    expect(fields).toMatchObject({
      ClientToken: 'token',
      'TagSpecification.1.ResourceType': 'instance',
      'TagSpecification.1.Tag.1.Key': 'tsmachine:id',
      'NetworkInterface.1.SecurityGroupId.1': 'sg-1',
    })
  })

  test('that is too much is repeated, later each time', async () => {
    nock(url).post('/').times(3).reply(503, error('RequestLimitExceeded'), xml)
    nock(url).post('/').reply(200, ok, xml)
    const client = await open()
    const start = clock.now()
    await client.call('DescribeVpcs', {})
    expect(clock.now() - start).toBeGreaterThan(2_000)
  })

  test('that EC2 fails on is repeated, unless it is to be made once', async () => {
    nock(url).post('/').times(2).reply(500, error('InternalError'), xml)
    nock(url).post('/').reply(200, ok, xml)
    const client = await open()
    await client.call('DescribeVpcs', {})
    nock(url).post('/').reply(500, error('InternalError'), xml)
    let doubts = 0
    const call = client.call(
      'RunInstances',
      { MinCount: 1, MaxCount: 1 },
      { once: true, onDoubt: () => void doubts++ },
    )
    await expect(call).rejects.toMatchObject({ code: 'E_EC2_SILENT', retryable: true })
    expect(doubts).toBe(1)
  })

  test('without an answer ends in a failure that names where and what', async () => {
    nock(url)
      .post('/')
      .times(5)
      .replyWithError(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
    const client = await open()
    await expect(client.call('DescribeVpcs', {})).rejects.toThrow(
      'no answer from EC2 (http://ec2.test) to DescribeVpcs: reset',
    )
  })

  test.each([
    ['UnauthorizedOperation', 403, 'E_EC2_PERMISSION'],
    ['AuthFailure', 401, 'E_EC2_CREDENTIALS'],
    ['ExpiredToken', 400, 'E_EC2_CREDENTIALS'],
    ['InvalidParameterValue', 400, 'E_EC2'],
  ])('that is refused (%s) is not repeated', async (code, status, failure) => {
    nock(url).post('/').reply(status, error(code), xml)
    const client = await open()
    const refused = await client.call('DescribeVpcs', {}).catch((caught: unknown) => caught)
    expect(refused).toMatchObject({ code: failure })
    expect(codeOf(refused)).toBe(code)
  })
})

test('a lack of room is a refusal, though EC2 calls it an error of its own', () => {
  const said = { name: 'InsufficientInstanceCapacity', $metadata: { httpStatusCode: 500 } }
  expect(judge(said)).toBe('refused')
  expect(judge({ name: 'InternalError', $metadata: { httpStatusCode: 500 } })).toBe('doubt')
  expect(judge({ name: 'RequestLimitExceeded', $metadata: { httpStatusCode: 503 } })).toBe('throttled')
  expect(judge(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).toBe('unreached')
  expect(judge(Object.assign(new Error('x'), { code: 'ECONNRESET' }))).toBe('doubt')
})

describe('the throttle', () => {
  test('lets a burst through at once, then one after another', async () => {
    const own = new JumpClock()
    const throttle = new Throttle(own)
    const start = own.now()
    for (let i = 0; i < 40; i++) await throttle.take()
    expect(own.now()).toBe(start)
    for (let i = 0; i < 20; i++) await throttle.take()
    expect(own.now() - start).toBeGreaterThanOrEqual(900)
  })

  test('halves its rate once for all refusals of a moment, and comes back slowly', () => {
    const throttle = new Throttle(new JumpClock())
    throttle.slowDown()
    throttle.slowDown()
    expect(throttle.perSecond).toBe(10)
    for (let i = 0; i < 10; i++) throttle.speedUp()
    expect(throttle.perSecond).toBeCloseTo(11.05)
  })
})
