import { integer, string } from '@oclif/core/flags'
import { SwarmCommand } from '../../cli/swarm-command.ts'

export default class Init extends SwarmCommand {
  static override summary = 'Begin a swarm, with this engine as its manager.'
  static override examples = [
    '<%= config.bin %> init',
    '<%= config.bin %> init --advertise-addr 192.168.1.10',
    '<%= config.bin %> init --default-addr-pool 10.20.0.0/16',
  ]
  static override flags = {
    'advertise-addr': string({ summary: 'Address or interface that other nodes use, perhaps with :PORT.' }),
    availability: string({
      summary: 'Whether it takes tasks itself.',
      options: ['active', 'pause', 'drain'],
    }),
    'cert-expiry': string({ summary: "Life of nodes' certificates; 2160h when left out." }),
    'data-path-addr': string({ summary: 'Address or interface for traffic between containers.' }),
    'data-path-port': integer({
      summary: 'UDP port for traffic between containers; 4789 when left out.',
      min: 1024,
      max: 49151,
    }),
    'default-addr-pool': string({
      summary: 'Block that networks get their subnets from.',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'default-addr-pool-mask-length': integer({
      summary: "Prefix length of networks' subnets; 24 when left out.",
      max: 29,
    }),
    'dispatcher-heartbeat': string({
      summary: 'Time between two beats of a node, which is down after four; 1s when left out.',
    }),
    'listen-addr': string({ summary: 'Address and port to listen on; 0.0.0.0:2377 when left out.' }),
    'task-history-limit': integer({ summary: 'Tasks kept in each slot; 5 when left out.', min: 0 }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Init)
    const api = await this.openApi(flags)
    const { initRequest } = await import('../../swarm/client/membership.ts')
    const id = await api.post<string>('/swarm/init', initRequest(flags))
    this.log(`Swarm initialized: current node (${id}) is now a manager.\n`)
    this.log('To add a worker to this swarm, run the following command:\n')
    const { joinCommand } = await import('../../swarm/client/membership.ts')
    this.log(`    ${await joinCommand(api, this.config.bin, 'worker')}\n`)
  }
}
