import { string as stringArg } from '@oclif/core/args'
import { string } from '@oclif/core/flags'
import { SwarmCommand } from '../../cli/swarm-command.ts'

export default class Join extends SwarmCommand {
  static override summary = 'Join this engine to a swarm.'
  static override description =
    'The manager must show the root certificate that the token names; nothing is said to it before. A token on the command line can be seen by other users of the host: prefer --token-file.'
  static override examples = [
    '<%= config.bin %> join --token-file token 192.168.1.10:2377',
    '<%= config.bin %> join-token -q worker | <%= config.bin %> -H tcp://w1:2376 join --token-file - 192.168.1.10:2377',
  ]
  static override args = {
    manager: stringArg({
      description: "A manager's address, HOST[:PORT].",
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    'advertise-addr': string({ summary: 'Address or interface that other nodes use.' }),
    availability: string({ summary: 'Whether it takes tasks.', options: ['active', 'pause', 'drain'] }),
    'data-path-addr': string({ summary: 'Address or interface for traffic between containers.' }),
    'listen-addr': string({ summary: 'Address and port to listen on, of a manager.' }),
    token: string({ summary: 'The join token.', exclusive: ['token-file'] }),
    'token-file': string({ summary: 'File with the join token; - for standard input.' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Join)
    const api = await this.openApi(flags)
    const { joinRequest } = await import('../../swarm/client/membership.ts')
    await api.post('/swarm/join', await joinRequest(args.manager, flags))
    const { isManager } = await import('../../swarm/client/membership.ts')
    this.log(`This node joined a swarm as a ${(await isManager(api)) ? 'manager' : 'worker'}.`)
  }
}
