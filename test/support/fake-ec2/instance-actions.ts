/** Instances and their volumes. */
import { images, subnetOf, vpcId, zonesOf } from './catalogue.ts'
import { seen } from './network-actions.ts'
import {
  Ec2Error,
  filtersOf,
  listOf,
  matches,
  type Params,
  tagSet,
  tagsFor,
  text,
  type XmlValue,
} from './query.ts'
import type { Instance, InstanceState, Region } from './region.ts'

const codes: Record<InstanceState, number> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
}

function show(instance: Instance): XmlValue {
  const { id, token, type, image, keyName, subnet, zone, vpc, groups, state, reason, tags } = instance
  return {
    instanceId: id,
    clientToken: token ?? '',
    instanceType: type,
    imageId: image,
    keyName,
    subnetId: subnet,
    vpcId: vpc,
    placement: { availabilityZone: zone },
    instanceState: { code: codes[state], name: state },
    stateReason: reason === undefined ? undefined : { code: reason, message: `${reason}: told by the fake` },
    ipAddress: instance.publicIp,
    privateIpAddress: instance.privateIp,
    ipv6Address: instance.ipv6,
    launchTime: new Date(instance.bornMs).toISOString(),
    instanceLifecycle: instance.isSpot ? 'spot' : undefined,
    groupSet: groups.map((group) => ({ groupId: group })),
    tagSet: tagSet(tags),
  }
}

/** What decides whether a repeated token is a repeated call. */
function essence(params: Params): string {
  return JSON.stringify([
    params.ImageId,
    params.InstanceType,
    params.NetworkInterface,
    params.InstanceMarketOptions,
    params.UserData,
  ])
}

function requireParts(region: Region, params: Params): { zone: string; subnet: string; groups: string[] } {
  if (!images.some(({ id }) => id === params.ImageId))
    throw new Ec2Error('InvalidAMIID.NotFound', `The image id '[${text(params.ImageId)}]' does not exist`)
  const keyName = text(params.KeyName)
  const key = keyName === undefined ? undefined : seen(region, region.keys.get(keyName))
  if (keyName !== undefined && !key)
    throw new Ec2Error('InvalidKeyPair.NotFound', `The key pair '${keyName}' does not exist`)
  const network = listOf(params.NetworkInterface)[0] ?? {}
  const subnet = text(network.SubnetId)!
  const zone = zonesOf(region.name).find((one) => subnetOf(one) === subnet)
  if (!zone) throw new Ec2Error('InvalidSubnetID.NotFound', `The subnet ID '${subnet}' does not exist`)
  const groups = listOf<string>(network.SecurityGroupId)
  for (const group of groups) {
    if (!seen(region, region.groups.get(group)))
      throw new Ec2Error('InvalidGroup.NotFound', `The security group '${group}' does not exist`)
  }
  return { zone, subnet, groups }
}

function runInstances(region: Region, params: Params): XmlValue {
  const token = text(params.ClientToken)
  const known = [...region.instances.values()].find((one) => token !== undefined && one.token === token)
  if (known && !region.behaviour.options.ignoresTokens) {
    if (essence(known.params as Params) !== essence(params))
      throw new Ec2Error(
        'IdempotentParameterMismatch',
        'Arguments on this idempotent request are inconsistent',
      )
    return { reservationId: 'r-1', ownerId: '111122223333', instancesSet: [show(known)] }
  }
  const { zone, subnet, groups } = requireParts(region, params)
  const type = text(params.InstanceType)!
  const market = params.InstanceMarketOptions as Params | undefined
  const isSpot = market?.MarketType === 'spot'
  if (region.behaviour.options.isFull?.(type, zone, isSpot))
    throw new Ec2Error(
      'InsufficientInstanceCapacity',
      `We currently do not have sufficient ${type} capacity in ${zone}`,
      500,
    )
  const network = listOf(params.NetworkInterface)[0] ?? {}
  const device = listOf(params.BlockDeviceMapping)[0] ?? {}
  const ebs = (device.Ebs ?? {}) as Params
  const volume = region.birth('volume', 'vol', tagsFor(params, 'volume'))
  region.volumes.set(volume.id, { ...volume, sizeGb: Number(text(ebs.VolumeSize)) })
  const { changeMs, options } = region.behaviour
  const wantsPublicIp = text(network.AssociatePublicIpAddress) === 'true'
  const instance: Instance = {
    ...region.birth('instance', 'i', tagsFor(params, 'instance')),
    token,
    type,
    image: text(params.ImageId)!,
    keyName: text(params.KeyName),
    subnet,
    zone,
    vpc: vpcId,
    groups,
    isSpot,
    state: 'pending',
    next: { state: 'running', atMs: region.clock.now() + changeMs },
    wantsPublicIp,
    publicIp: wantsPublicIp ? (options.address ?? region.newIp('203.0.113')) : undefined,
    privateIp: options.address ?? region.newIp('172.31.0'),
    ipv6: text(network.Ipv6AddressCount) ? `2001:db8::${region.instances.size + 1}` : undefined,
    volume: volume.id,
    deletesVolume: text(ebs.DeleteOnTermination) === 'true',
    params,
  }
  region.instances.set(instance.id, instance)
  return { reservationId: 'r-1', ownerId: '111122223333', instancesSet: [show(instance)] }
}

function named(region: Region, params: Params): Instance[] {
  return listOf<string>(params.InstanceId).map((id) => {
    const instance = seen(region, region.instances.get(id))
    if (!instance) throw new Ec2Error('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`)
    return instance
  })
}

function change(region: Region, params: Params, work: (instance: Instance) => void): XmlValue {
  const instances = named(region, params)
  for (const instance of instances) work(instance)
  return {
    instancesSet: instances.map(({ id, state }) => ({
      instanceId: id,
      currentState: { code: codes[state], name: state },
    })),
  }
}

function move(region: Region, instance: Instance, now: InstanceState, later: InstanceState): void {
  instance.state = now
  instance.next = { state: later, atMs: region.clock.now() + region.behaviour.changeMs }
}

export const instanceActions: Record<string, (region: Region, params: Params) => XmlValue> = {
  RunInstances: runInstances,
  DescribeInstances: (region, params) => {
    const ids = listOf<string>(params.InstanceId)
    const shown = [...region.instances.values()].filter((instance) => region.shows(instance))
    const missing = ids.find((id) => !shown.some((instance) => instance.id === id))
    if (missing)
      throw new Ec2Error('InvalidInstanceID.NotFound', `The instance ID '${missing}' does not exist`)
    return {
      reservationSet: shown
        .filter(({ id }) => ids.length === 0 || ids.includes(id))
        .filter((instance) =>
          matches(
            {
              'instance-id': instance.id,
              'client-token': instance.token,
              'instance-state-name': instance.state,
              'instance.group-id': instance.groups,
              'vpc-id': instance.vpc,
            },
            instance.tags,
            filtersOf(params),
          ),
        )
        .map((instance) => ({
          reservationId: 'r-1',
          ownerId: '111122223333',
          instancesSet: [show(instance)],
        })),
    }
  },
  TerminateInstances: (region, params) =>
    change(region, params, (instance) => {
      if (instance.state !== 'terminated' && instance.state !== 'shutting-down')
        move(region, instance, 'shutting-down', 'terminated')
    }),
  StopInstances: (region, params) =>
    change(region, params, (instance) => {
      if (instance.isSpot) throw new Ec2Error('UnsupportedOperation', 'a one-time Spot Instance')
      if (instance.state === 'stopped' || instance.state === 'stopping') return
      if (instance.state !== 'running') throw wrongState(instance)
      move(region, instance, 'stopping', 'stopped')
      if (![...region.addresses.values()].some((address) => address.instance === instance.id))
        instance.publicIp = undefined
    }),
  StartInstances: (region, params) =>
    change(region, params, (instance) => {
      if (instance.state === 'running' || instance.state === 'pending') return
      if (instance.state !== 'stopped') throw wrongState(instance)
      move(region, instance, 'pending', 'running')
      if (instance.wantsPublicIp)
        instance.publicIp ??= region.behaviour.options.address ?? region.newIp('203.0.113')
    }),
  RebootInstances: (region, params) => {
    for (const instance of named(region, params)) {
      if (instance.state !== 'running') throw wrongState(instance)
    }
    return { return: true }
  },
  DescribeVolumes: (region, params) => ({
    volumeSet: [...region.volumes.values()]
      .filter((volume) => region.shows(volume))
      .filter(({ id, tags }) => matches({ 'volume-id': id }, tags, filtersOf(params)))
      .map(({ id, tags, bornMs, sizeGb }) => ({
        volumeId: id,
        createTime: new Date(bornMs).toISOString(),
        size: sizeGb,
        tagSet: tagSet(tags),
      })),
  }),
}

function wrongState({ id, state }: Instance): Ec2Error {
  return new Ec2Error('IncorrectInstanceState', `The instance '${id}' is not in a state for that: ${state}`)
}
