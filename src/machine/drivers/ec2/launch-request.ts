/** RunInstances' parameters, whole: the same record gives the same request, as its client token demands. Pure. */
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2'
import { type Candidate, clientToken } from './candidates.ts'
import { groupIds } from './group.ts'
import { keyName } from './key.ts'
import { type Session, tagSpecs } from './session.ts'

export function launchRequest(
  session: Session,
  { candidate, attempt, userData }: { candidate: Candidate; attempt: number; userData: Uint8Array },
): RunInstancesCommandInput {
  const { made, settings, record } = session
  const { type, subnet, isSpot } = candidate
  const image = made.images![type.architecture]!
  return {
    MinCount: 1,
    MaxCount: 1,
    ClientToken: clientToken(record.id, candidate, attempt),
    ImageId: image.id,
    InstanceType: type.name as never,
    KeyName: keyName(session),
    UserData: Buffer.from(userData).toString('base64'),
    NetworkInterfaces: [
      {
        DeviceIndex: 0,
        SubnetId: subnet.id,
        Groups: groupIds(session),
        AssociatePublicIpAddress: settings.hasPublicAddress,
        DeleteOnTermination: true,
        ...(settings.ipv6Count > 0 && { Ipv6AddressCount: settings.ipv6Count }),
      },
    ],
    BlockDeviceMappings: [
      {
        DeviceName: image.rootDevice,
        Ebs: {
          VolumeSize: Math.max(settings.rootGb, image.rootGb),
          VolumeType: settings.volumeType as never,
          DeleteOnTermination: true,
          Encrypted: true,
          ...(settings.kmsKey !== undefined && { KmsKeyId: settings.kmsKey }),
        },
      },
    ],
    MetadataOptions: {
      HttpEndpoint: 'enabled',
      HttpTokens: settings.httpTokens,
      HttpPutResponseHopLimit: settings.hopLimit,
    },
    // Shut down from inside, it stays and can be started again.
    ...(!isSpot && { InstanceInitiatedShutdownBehavior: 'stop' }),
    ...(settings.monitoring && { Monitoring: { Enabled: true } }),
    ...(settings.profileOfInstance !== undefined && {
      IamInstanceProfile: profile(settings.profileOfInstance),
    }),
    ...(isSpot && {
      InstanceMarketOptions: {
        MarketType: 'spot',
        SpotOptions: {
          SpotInstanceType: 'one-time',
          InstanceInterruptionBehavior: 'terminate',
          ...(settings.spotPrice !== undefined && { MaxPrice: settings.spotPrice }),
        },
      },
    }),
    TagSpecifications: tagSpecs(
      session,
      'instance',
      'volume',
      'network-interface',
      ...(isSpot ? (['spot-instances-request'] as const) : []),
    ),
  }
}

function profile(nameOrArn: string) {
  return nameOrArn.startsWith('arn:') ? { Arn: nameOrArn } : { Name: nameOrArn }
}
