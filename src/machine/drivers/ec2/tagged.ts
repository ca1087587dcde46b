/** All that carries an owner's tags in one account and region, known to a record or not. */
import type { Tag } from '@aws-sdk/client-ec2'
import type { DriverOptions } from '../../record.ts'
import type { TaggedResource } from '../driver.ts'
import { tagKeys } from '../tags.ts'
import type { Clients } from './clients.ts'
import { isLiving } from './instance-state.ts'
import { tagsOf } from './session.ts'
import { settingsOf } from './settings.ts'

export async function findTagged(
  clients: Clients,
  options: DriverOptions,
  owner: string,
): Promise<TaggedResource[]> {
  const { profile, endpoint, region } = settingsOf(options)
  const ec2 = await clients.open({ profile, endpoint, region })
  const where = [profile, await ec2.region()].filter(Boolean).join(' ')
  const query = { Filters: [{ Name: `tag:${tagKeys.owner}`, Values: [owner] }] }
  const resource = (kind: string, id: string | undefined, list: Tag[] | undefined, created?: Date) => {
    const tags = tagsOf(list)
    return {
      kind,
      id: id ?? '',
      where,
      machineId: tags[tagKeys.id],
      machineName: tags[tagKeys.name],
      created: created?.toISOString(),
      tags,
    }
  }
  const [instances, volumes, keys, groups, addresses] = await Promise.all([
    ec2.call('DescribeInstances', query),
    ec2.call('DescribeVolumes', query),
    ec2.call('DescribeKeyPairs', query),
    ec2.call('DescribeSecurityGroups', query),
    ec2.call('DescribeAddresses', query),
  ])
  return [
    ...(instances.Reservations ?? [])
      .flatMap(({ Instances = [] }) => Instances)
      .filter(isLiving)
      .map((one) => resource('instance', one.InstanceId, one.Tags, one.LaunchTime)),
    ...(volumes.Volumes ?? []).map((one) => resource('volume', one.VolumeId, one.Tags, one.CreateTime)),
    ...(keys.KeyPairs ?? []).map((one) => resource('key-pair', one.KeyPairId, one.Tags, one.CreateTime)),
    ...(groups.SecurityGroups ?? []).map((one) => resource('security-group', one.GroupId, one.Tags)),
    ...(addresses.Addresses ?? []).map((one) => resource('elastic-ip', one.AllocationId, one.Tags)),
  ]
}
