import { describe, expect, test } from 'vitest'
import { cidrOf, settingsOf } from '../../../../../src/machine/drivers/ec2/settings.ts'

const why = (options: Parameters<typeof settingsOf>[0]) => {
  try {
    settingsOf(options)
    return ''
  } catch (error) {
    expect((error as { code: string }).code).toBe('E_OPTION')
    return (error as Error).message
  }
}

describe('the options of the EC2 driver', () => {
  test('have safe defaults', () => {
    expect(settingsOf({})).toMatchObject({
      types: ['t3.small'],
      sshUser: 'ubuntu',
      volumeType: 'gp3',
      httpTokens: 'required',
      hopLimit: 1,
      reachBy: 'public',
      isSpot: false,
      windowMs: 120_000,
    })
  })

  test('take an address for a network of one', () => {
    expect(cidrOf('192.0.2.1')).toBe('192.0.2.1/32')
    expect(cidrOf('2001:db8::1')).toBe('2001:db8::1/128')
    expect(cidrOf('10.0.0.0/8')).toBe('10.0.0.0/8')
  })

  test.each([
    [{ 'allow-from': ['everywhere'] }, /--ec2-allow-from: "everywhere" is no network/],
    [{ 'allow-from': ['10.0.0.0/33'] }, /is no network/],
    [{ 'allow-from': ['10.0.0.0/8/9'] }, /is no network/],
    [{ endpoint: 'http://cloud.example' }, /--ec2-allow-from: it must be given: how another cloud sees/],
    [{ 'private-address-only': true }, /--ec2-allow-from: it must be given/],
    [{ 'security-group': ['a'], 'allow-from': ['10.0.0.0/8'] }, /groups of yours are never edited/],
    [{ 'security-group': ['a'], 'open-port': ['80'] }, /groups of yours are never edited/],
    [{ 'open-port': ['http'] }, /--ec2-open-port: "http" is no port/],
    [{ 'open-port': ['70000'] }, /is no port/],
    [{ tags: 'a,b,c' }, /--ec2-tags: it must be key1,value1/],
    [{ tags: 'tsmachine:id,x' }, /can't be a tag of yours/],
    [{ 'http-tokens': 'maybe' }, /--ec2-http-tokens: it must be required or optional/],
    [{ 'root-size': 0 }, /--ec2-root-size: it must be a number from 1 on/],
    [{ endpoint: 'ftp://cloud.example', 'allow-from': ['10.0.0.1'] }, /is no URL/],
    [{ 'elastic-ip': true, 'private-address-only': true, 'allow-from': ['10.0.0.1'] }, /no public address/],
  ])('are refused where they can be no sense: %j', (options, text) => {
    expect(why(options)).toMatch(text)
  })
})
