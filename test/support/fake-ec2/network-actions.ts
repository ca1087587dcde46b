/** Key pairs, security groups and elastic addresses. */
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
import type { Address, Group, Key, Region, Resource, Rule } from './region.ts'

type Action = (region: Region, params: Params) => XmlValue

/** The resource as an action sees it: with stale actions, only what describes show by now. */
export function seen<T extends Resource>(region: Region, resource: T | undefined): T | undefined {
  if (!resource) return undefined
  return region.behaviour.options.staleActions && !region.shows(resource) ? undefined : resource
}

function groupOf(region: Region, id: string | undefined): Group {
  const group = seen(region, region.groups.get(id ?? ''))
  if (!group) throw new Ec2Error('InvalidGroup.NotFound', `The security group '${id}' does not exist`)
  return group
}

function rulesOf(params: Params): Rule[] {
  return listOf(params.IpPermissions).flatMap((permission) => {
    const ports = {
      protocol: text(permission.IpProtocol) ?? '',
      from: Number(text(permission.FromPort) ?? -1),
      to: Number(text(permission.ToPort) ?? -1),
    }
    return [
      ...listOf(permission.IpRanges).map((range) => ({ ...ports, source: text(range.CidrIp)! })),
      ...listOf(permission.Ipv6Ranges).map((range) => ({ ...ports, source: text(range.CidrIpv6)! })),
      ...listOf(permission.Groups).map((group) => ({ ...ports, source: text(group.GroupId)! })),
    ]
  })
}

const keyOf = (rule: Rule) => `${rule.protocol} ${rule.from} ${rule.to} ${rule.source}`

export const networkActions: Record<string, Action> = {
  ImportKeyPair: (region, params) => {
    const name = text(params.KeyName)!
    if (region.keys.has(name))
      throw new Ec2Error('InvalidKeyPair.Duplicate', `The keypair '${name}' already exists.`)
    const publicKey = Buffer.from(text(params.PublicKeyMaterial) ?? '', 'base64').toString()
    if (!publicKey.startsWith('ssh-')) throw new Ec2Error('InvalidKey.Format', 'Key is not in valid format')
    const key: Key = { ...region.birth('key-pair', 'key', tagsFor(params, 'key-pair')), name, publicKey }
    region.keys.set(name, key)
    return { keyName: name, keyPairId: key.id, tagSet: tagSet(key.tags) }
  },
  DescribeKeyPairs: (region, params) => ({
    keySet: [...region.keys.values()]
      .filter((key) => region.shows(key))
      .filter((key) => matches({ 'key-name': key.name, 'key-pair-id': key.id }, key.tags, filtersOf(params)))
      .map(({ id, name, tags, bornMs }) => ({
        keyPairId: id,
        keyName: name,
        createTime: new Date(bornMs).toISOString(),
        tagSet: tagSet(tags),
      })),
  }),
  DeleteKeyPair: (region, params) => {
    const key = [...region.keys.values()].find(
      ({ id, name }) => id === text(params.KeyPairId) || name === text(params.KeyName),
    )
    // As EC2 does: nothing there is a success.
    if (seen(region, key)) region.keys.delete(key!.name)
    return { return: true }
  },
  CreateSecurityGroup: (region, params) => {
    const name = text(params.GroupName)!
    const vpc = text(params.VpcId)!
    if ([...region.groups.values()].some((group) => group.name === name && group.vpc === vpc))
      throw new Ec2Error('InvalidGroup.Duplicate', `The security group '${name}' already exists for VPC`)
    const born = region.birth('security-group', 'sg', tagsFor(params, 'security-group'))
    const group: Group = { ...born, name, vpc, description: text(params.GroupDescription)!, rules: [] }
    region.groups.set(group.id, group)
    return { groupId: group.id, return: true, tagSet: tagSet(group.tags) }
  },
  AuthorizeSecurityGroupIngress: (region, params) => {
    const group = groupOf(region, text(params.GroupId))
    const rules = rulesOf(params)
    const has = new Set(group.rules.map(keyOf))
    if (rules.some((rule) => has.has(keyOf(rule))))
      throw new Ec2Error('InvalidPermission.Duplicate', 'the specified rule already exists')
    group.rules.push(...rules)
    return { return: true }
  },
  DescribeSecurityGroups: (region, params) => {
    const ids = listOf<string>(params.GroupId)
    const shown = [...region.groups.values()].filter((group) => region.shows(group))
    const missing = ids.find((id) => !shown.some((group) => group.id === id))
    if (missing) throw new Ec2Error('InvalidGroup.NotFound', `The security group '${missing}' does not exist`)
    return {
      securityGroupInfo: shown
        .filter(({ id }) => ids.length === 0 || ids.includes(id))
        .filter(({ id, name, vpc, tags }) =>
          matches({ 'group-name': name, 'vpc-id': vpc, 'group-id': id }, tags, filtersOf(params)),
        )
        .map(({ id, name, vpc, description, rules, tags }) => ({
          groupId: id,
          groupName: name,
          vpcId: vpc,
          ownerId: '111122223333',
          groupDescription: description,
          ipPermissions: rules.map(({ protocol, from, to, source }) => ({
            ipProtocol: protocol,
            fromPort: from === -1 ? undefined : from,
            toPort: to === -1 ? undefined : to,
            groups: source.startsWith('sg-') ? [{ groupId: source }] : [],
            ipRanges: /^[\d.]+\//.test(source) ? [{ cidrIp: source }] : [],
            ipv6Ranges: source.includes(':') ? [{ cidrIpv6: source }] : [],
          })),
          tagSet: tagSet(tags),
        })),
    }
  },
  DeleteSecurityGroup: (region, params) => {
    const group = groupOf(region, text(params.GroupId))
    if (region.isInUse(group.id))
      throw new Ec2Error('DependencyViolation', `resource ${group.id} has a dependent object`)
    region.groups.delete(group.id)
    return { return: true }
  },
  AllocateAddress: (region, params) => {
    const born = region.birth('elastic-ip', 'eipalloc', tagsFor(params, 'elastic-ip'))
    const address: Address = { ...born, ip: region.behaviour.options.address ?? region.newIp('198.51.100') }
    region.addresses.set(address.id, address)
    return { allocationId: address.id, publicIp: address.ip, domain: 'vpc' }
  },
  AssociateAddress: (region, params) => {
    const address = addressOf(region, text(params.AllocationId))
    const instance = seen(region, region.instances.get(text(params.InstanceId) ?? ''))
    if (!instance) throw new Ec2Error('InvalidInstanceID.NotFound', 'The instance ID does not exist')
    if (instance.state !== 'running' && instance.state !== 'stopped')
      throw new Ec2Error('IncorrectInstanceState', `instance is ${instance.state}`)
    address.instance = instance.id
    address.association = region.newId('eipassoc')
    instance.publicIp = address.ip
    return { associationId: address.association, return: true }
  },
  DisassociateAddress: (region, params) => {
    const id = text(params.AssociationId)
    const address = [...region.addresses.values()].find(({ association }) => association === id)
    if (!address)
      throw new Ec2Error('InvalidAssociationID.NotFound', `The association ID '${id}' does not exist`)
    address.instance = undefined
    address.association = undefined
    return { return: true }
  },
  ReleaseAddress: (region, params) => {
    const address = addressOf(region, text(params.AllocationId))
    if (address.association) throw new Ec2Error('InvalidIPAddress.InUse', `${address.ip} is in use`)
    region.addresses.delete(address.id)
    return { return: true }
  },
  DescribeAddresses: (region, params) => ({
    addressesSet: [...region.addresses.values()]
      .filter((address) => region.shows(address))
      .filter(({ id, tags }) => matches({ 'allocation-id': id }, tags, filtersOf(params)))
      .map(({ id, ip, instance, association, tags }) => ({
        allocationId: id,
        publicIp: ip,
        instanceId: instance,
        associationId: association,
        domain: 'vpc',
        tagSet: tagSet(tags),
      })),
  }),
}

function addressOf(region: Region, id: string | undefined): Address {
  const address = seen(region, region.addresses.get(id ?? ''))
  if (!address) throw new Ec2Error('InvalidAllocationID.NotFound', `The allocation ID '${id}' does not exist`)
  return address
}
