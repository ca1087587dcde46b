/**
 * The machine's security group. It is the machine's own and sits on its interface, since whom it lets in is a matter
 * of each machine: in a shared one the addresses of one machine's users would reach all the others.
 */
import { fail } from '../../errors.ts'
import { finish, found, remove } from './calls.ts'
import type { Azure } from './clients.ts'
import { type AzureMachine, list, openPort } from './settings.ts'

type Signal = AbortSignal | undefined

/** One rule that lets something in, as the service takes it. */
export interface Rule {
  name: string
  protocol: string
  access: 'Allow'
  direction: 'Inbound'
  priority: number
  sourcePortRange: '*'
  sourceAddressPrefixes?: string[]
  sourceAddressPrefix?: string
  destinationAddressPrefix: '*'
  destinationPortRange: string
}

const swarmPort = '2377'
const overlayPort = '4789'

/**
 * Who may come in, and to what: everything else from outside is refused by the service's own last rule. Members of a
 * swarm reach one another inside the virtual network only.
 */
export function firewallRules({ options }: Pick<AzureMachine, 'options'>): Rule[] {
  const callers = list(options, 'allow-from')
  const fromCallers: Partial<Rule> =
    callers.length > 0 ? { sourceAddressPrefixes: callers } : { sourceAddressPrefix: 'VirtualNetwork' }
  const inside: Partial<Rule> = { sourceAddressPrefix: 'VirtualNetwork' }
  const rules: Pick<Rule, 'name' | 'protocol' | 'destinationPortRange'>[] = [
    { name: 'ssh', protocol: 'Tcp', destinationPortRange: '22', ...fromCallers },
    {
      name: 'engine',
      protocol: 'Tcp',
      destinationPortRange: String(options['docker-port'] ?? 2376),
      ...fromCallers,
    },
    { name: 'swarm', protocol: 'Tcp', destinationPortRange: swarmPort, ...inside },
    { name: 'overlay', protocol: 'Udp', destinationPortRange: overlayPort, ...inside },
    ...list(options, 'open-port').map((given) => {
      const { port, protocol } = openPort(given)
      const name = `open-${port}-${protocol === '*' ? 'any' : protocol.toLowerCase()}`
      return { name, protocol, destinationPortRange: port, sourceAddressPrefix: '*' }
    }),
  ]
  return rules.map((rule, i) => ({
    access: 'Allow',
    direction: 'Inbound',
    priority: 100 + i * 10,
    sourcePortRange: '*',
    destinationAddressPrefix: '*',
    ...rule,
  }))
}

/** Makes it, or, where the user named one, looks whether that is there. */
export async function ensureFirewall(azure: Azure, machine: AzureMachine, signal: Signal): Promise<void> {
  const { group, location, names, tags, foreignFirewall } = machine
  if (foreignFirewall !== undefined) {
    const { group: place, name } = foreign(machine)
    const there = await found(`look at the security group ${name}`, signal, (options) =>
      azure.network.networkSecurityGroups.get(place, name, options),
    )
    if (!there) throw fail('E_OPTION', { option: '--azure-nsg', why: `there is no ${name} in ${place}` })
    return
  }
  const body = { location, tags, securityRules: firewallRules(machine) }
  await finish(azure, `make the security group ${names.firewall}`, signal, (options) =>
    azure.network.networkSecurityGroups.createOrUpdate(group, names.firewall, body, options),
  )
}

export async function removeFirewall(azure: Azure, { group, names }: AzureMachine, signal: Signal) {
  await remove(azure, `the security group ${names.firewall}`, signal, (options) =>
    azure.network.networkSecurityGroups.delete(group, names.firewall, options),
  )
}

export function firewallId({ subscription }: Azure, machine: AzureMachine): string {
  const { group, name } =
    machine.foreignFirewall === undefined
      ? { group: machine.group, name: machine.names.firewall }
      : foreign(machine)
  return `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Network/networkSecurityGroups/${name}`
}

/** A name in the machine's group, or an id. */
function foreign({ group, foreignFirewall = '' }: AzureMachine): { group: string; name: string } {
  const parts = foreignFirewall.split('/')
  return parts.length > 8 ? { group: parts[4]!, name: parts[8]! } : { group, name: foreignFirewall }
}
