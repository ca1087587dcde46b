/** What every account finds there: images, types, a default VPC with a subnet a zone. */
import { Ec2Error, filtersOf, listOf, matches, type Params, text, type XmlValue } from './query.ts'
import type { Region } from './region.ts'

interface Image {
  id: string
  name: string
  owner: string
  architecture: string
  created: string
  rootDevice: string
}

const canonical = '099720109477'
const debian = '136693071363'

export const images: Image[] = [
  ...(['amd64', 'arm64'] as const).flatMap((arch) => {
    const architecture = arch === 'amd64' ? 'x86_64' : 'arm64'
    const ubuntu = (id: string, series: string, date: string) => ({
      id: `ami-${id}${arch}`,
      name: `ubuntu/images/hvm-ssd-gp3/ubuntu-${series}-${arch}-server-${date}`,
      owner: canonical,
      architecture,
      created: `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T10:00:00.000Z`,
      rootDevice: '/dev/sda1',
    })
    return [
      ubuntu('noble1', 'noble-24.04', '20260101'),
      ubuntu('noble2', 'noble-24.04', '20260701'),
      ubuntu('jammy', 'jammy-22.04', '20260801'),
      // No LTS, though newer.
      ubuntu('plucky', 'plucky-25.04', '20260901'),
      {
        id: `ami-debian12${arch}`,
        name: `debian-12-${arch}-20260601-1234`,
        owner: debian,
        architecture,
        created: '2026-06-01T10:00:00.000Z',
        rootDevice: '/dev/xvda',
      },
      // Somebody else's, with a name that looks right.
      { ...ubuntu('fake', 'noble-24.04', '20270101'), owner: '666666666666' },
    ]
  }),
]

const types: Record<string, string> = {
  't3.small': 'x86_64',
  't3a.small': 'x86_64',
  'm5.large': 'x86_64',
  't4g.small': 'arm64',
}

export const vpcId = 'vpc-0default'

export function zonesOf(region: string): string[] {
  return ['a', 'b', 'c'].map((letter) => `${region}${letter}`)
}

export const subnetOf = (zone: string) => `subnet-${zone}`

export const catalogueActions: Record<string, (region: Region, params: Params) => XmlValue> = {
  DescribeImages: (_, params) => {
    const ids = listOf<string>(params.ImageId)
    const owners = listOf<string>(params.Owner)
    const found = images.filter(
      (image) =>
        (ids.length === 0 || ids.includes(image.id)) &&
        (owners.length === 0 || owners.includes(image.owner)) &&
        matches(
          {
            name: image.name,
            architecture: image.architecture,
            state: 'available',
            'root-device-type': 'ebs',
            'virtualization-type': 'hvm',
          },
          {},
          filtersOf(params),
        ),
    )
    if (ids.some((id) => !found.some((image) => image.id === id)))
      throw new Ec2Error('InvalidAMIID.NotFound', `The image id '[${ids}]' does not exist`)
    return {
      imagesSet: found.map(({ id, name, owner, architecture, created, rootDevice }) => ({
        imageId: id,
        name,
        imageOwnerId: owner,
        architecture,
        creationDate: created,
        rootDeviceName: rootDevice,
        blockDeviceMapping: [{ deviceName: rootDevice, ebs: { volumeSize: 8 } }],
        imageState: 'available',
      })),
    }
  },
  DescribeInstanceTypes: (_, params) => {
    const wanted = listOf<string>(params.InstanceType)
    const unknown = wanted.filter((type) => !Object.hasOwn(types, type))
    if (unknown.length > 0)
      throw new Ec2Error(
        'InvalidInstanceType',
        `The following supplied instance types do not exist: [${unknown}]`,
      )
    return {
      instanceTypeSet: wanted.map((type) => ({
        instanceType: type,
        processorInfo: { supportedArchitectures: [types[type]!] },
      })),
    }
  },
  DescribeVpcs: (region, params) => {
    const ids = listOf<string>(params.VpcId)
    const vpcs = region.behaviour.options.seed === -1 ? [] : [vpcId]
    const missing = ids.find((id) => !vpcs.includes(id))
    if (missing) throw new Ec2Error('InvalidVpcID.NotFound', `The vpc ID '${missing}' does not exist`)
    return {
      vpcSet: vpcs
        .filter((id) => matches({ 'is-default': 'true', 'vpc-id': id }, {}, filtersOf(params)))
        .map((id) => ({ vpcId: id, isDefault: true, ownerId: '111122223333', cidrBlock: '172.31.0.0/16' })),
    }
  },
  DescribeSubnets: (region, params) => {
    const ids = listOf<string>(params.SubnetId)
    const subnets = zonesOf(region.name)
      .map((zone) => ({ id: subnetOf(zone), zone }))
      .filter(({ id }) => ids.length === 0 || ids.includes(id))
    const missing = ids.find((id) => !subnets.some((subnet) => subnet.id === id))
    if (missing) throw new Ec2Error('InvalidSubnetID.NotFound', `The subnet ID '${missing}' does not exist`)
    return {
      subnetSet: subnets
        .filter(({ id, zone }) =>
          matches(
            {
              'vpc-id': vpcId,
              'availability-zone': zone,
              'default-for-az': 'true',
              'subnet-id': id,
              state: 'available',
            },
            {},
            filtersOf(params),
          ),
        )
        .map(({ id, zone }) => ({
          subnetId: id,
          vpcId,
          availabilityZone: zone,
          defaultForAz: true,
          mapPublicIpOnLaunch: true,
          state: 'available',
        })),
    }
  },
  GetConsoleOutput: (_, params) => ({
    instanceId: text(params.InstanceId),
    output: Buffer.from('[    1.0] Linux version\nlogin: cloud-init failed\n').toString('base64'),
  }),
}
