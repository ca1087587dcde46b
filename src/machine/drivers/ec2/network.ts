/** Where in the account's network the machine goes: VPC, and subnets in the order in which they are tried. */
import { fail } from '../../errors.ts'
import type { Subnet } from './made.ts'
import { codeOf } from './refusal.ts'
import type { Session } from './session.ts'

/**
 * @returns the VPC's id, and at least one subnet of it
 * @throws E_EC2_MISSING where there is none such
 */
export async function chooseNetwork(session: Session): Promise<{ vpc: string; subnets: Subnet[] }> {
  const { ec2, settings, region } = session
  if (settings.subnets.length > 0) return subnetsNamed(session)
  const vpc = settings.vpc ?? (await defaultVpc(session))
  const { Subnets = [] } = await ec2.call('DescribeSubnets', {
    Filters: [
      { Name: 'vpc-id', Values: [vpc] },
      { Name: 'state', Values: ['available'] },
    ],
  })
  const all = Subnets.map(({ SubnetId = '', AvailabilityZone = '', DefaultForAz }) => ({
    id: SubnetId,
    zone: AvailabilityZone,
    isDefault: DefaultForAz === true,
  }))
  const subnets = orderSubnets(all, settings.zones, region)
  if (subnets.length === 0) {
    const zones = settings.zones.length > 0 ? ` in the zones ${settings.zones.join(', ')}` : ''
    throw fail('E_EC2_MISSING', { what: `subnet of ${vpc}${zones}`, region })
  }
  return { vpc, subnets }
}

/**
 * One subnet a zone, a default one where there is: those of the wanted zones in their order, else all by name.
 * A zone may be given as docker-machine has it, by its letter.
 */
export function orderSubnets(
  all: readonly (Subnet & { isDefault: boolean })[],
  zones: readonly string[],
  region: string,
): Subnet[] {
  const wanted =
    zones.length > 0
      ? zones.map((zone) => (zone.length === 1 ? `${region}${zone}` : zone))
      : [...new Set(all.map(({ zone }) => zone))].toSorted()
  return wanted.flatMap((zone) => {
    const there = all.filter((subnet) => subnet.zone === zone)
    const best = there.find(({ isDefault }) => isDefault) ?? there[0]
    return best ? [{ id: best.id, zone: best.zone }] : []
  })
}

async function subnetsNamed({ ec2, settings, region }: Session) {
  try {
    const { Subnets = [] } = await ec2.call('DescribeSubnets', { SubnetIds: settings.subnets })
    const vpcs = new Set(Subnets.map(({ VpcId = '' }) => VpcId))
    const [vpc = ''] = vpcs
    if (vpcs.size !== 1 || (settings.vpc !== undefined && settings.vpc !== vpc)) {
      throw fail('E_OPTION', {
        option: '--ec2-subnet-id',
        why: `they must be of one VPC${settings.vpc === undefined ? '' : `, ${settings.vpc}`}`,
      })
    }
    const subnets = settings.subnets.flatMap((id) => {
      const subnet = Subnets.find(({ SubnetId }) => SubnetId === id)
      return subnet ? [{ id, zone: subnet.AvailabilityZone ?? '' }] : []
    })
    return { vpc, subnets }
  } catch (error) {
    if (codeOf(error) !== 'InvalidSubnetID.NotFound') throw error
    throw fail('E_EC2_MISSING', { what: `subnet ${settings.subnets.join(', ')}`, region }, error)
  }
}

async function defaultVpc({ ec2, region }: Session): Promise<string> {
  const { Vpcs = [] } = await ec2.call('DescribeVpcs', {
    Filters: [{ Name: 'is-default', Values: ['true'] }],
  })
  const id = Vpcs[0]?.VpcId
  if (id === undefined) throw fail('E_EC2_MISSING', { what: 'default VPC (name one: --ec2-vpc-id)', region })
  return id
}
