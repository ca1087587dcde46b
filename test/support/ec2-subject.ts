/** The EC2 driver and its fake, as the fault matrix takes them. */
import type { Driver } from '../../src/machine/drivers/driver.ts'
import { createEc2Driver, type Ec2DriverOptions } from '../../src/machine/drivers/ec2/driver.ts'
import { madeOf } from '../../src/machine/drivers/ec2/made.ts'
import { ec2Options } from '../../src/machine/drivers/ec2/options.ts'
import { checkOptions } from '../../src/machine/options.ts'
import type { DriverOptions, MachineRecord } from '../../src/machine/record.ts'
import type { BehaviourOptions } from './fake-ec2/behaviour.ts'
import { FakeEc2 } from './fake-ec2/fake-ec2.ts'
import type { MatrixSubject } from './fault-matrix.ts'

/** Credentials for a fake: the access key is the account. */
export function useFakeCredentials(account = 'AKIATEST'): void {
  process.env.AWS_ACCESS_KEY_ID = account
  process.env.AWS_SECRET_ACCESS_KEY = 'secret'
  process.env.AWS_EC2_METADATA_DISABLED = 'true'
  process.env.AWS_CONFIG_FILE = '/dev/null'
  process.env.AWS_SHARED_CREDENTIALS_FILE = '/dev/null'
}

/** Options with their defaults, for a fake whose address comes later. */
export function ec2OptionsOf(given: DriverOptions = {}): DriverOptions {
  return checkOptions('ec2', ec2Options, {
    region: 'us-east-1',
    endpoint: 'http://fake.invalid',
    'allow-from': ['192.0.2.1'],
    ...given,
  })
}

/** A driver whose calls go to this URL, whatever endpoint the record names. */
export function ec2DriverAt(url: string, options: Ec2DriverOptions): Driver {
  return createEc2Driver({ random: () => 0.5, endpointOverride: url, ...options })
}

/** Ids of what the record says is there. */
export function recordedResources({ made }: MachineRecord): string[] {
  const { keyPair, group, instance, address } = madeOf({ made })
  return [keyPair, group, instance, address].flatMap((one) => (one ? [one.id] : []))
}

export function ec2Subject(behaviour: BehaviourOptions, options: DriverOptions = {}): MatrixSubject {
  return {
    driver: 'ec2',
    options: ec2OptionsOf(options),
    cloud: (clock) => new FakeEc2(behaviour, clock),
    load: (life, requestMs) => ec2DriverAt(life.url, { clock: life.clock, requestMs }),
    recorded: recordedResources,
  }
}
