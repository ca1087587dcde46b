import { string as stringArg } from '@oclif/core/args'
import { boolean, string } from '@oclif/core/flags'
import { positionals } from '../../../cli/pass-through.ts'
import { listFlags, plainLists, singleFlags } from '../../../cli/service-flags.ts'
import { SwarmCommand, waitFlag } from '../../../cli/swarm-command.ts'

export default class ServiceCreate extends SwarmCommand {
  static override summary = 'Make a service.'
  static override examples = [
    '<%= config.bin %> service create --name web --replicas 3 -p 8080:80 web:1',
    '<%= config.bin %> service create --name agent --mode global agent:1 run --verbose',
  ]
  static override strict = false
  static override args = {
    image: stringArg({
      description: 'Image that the tasks run; after it the command and its arguments.',
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    ...singleFlags,
    ...listFlags,
    ...plainLists,
    'add-host': string({
      summary: 'Line in /etc/hosts, NAME:ADDRESS.',
      multiple: true,
      multipleNonGreedy: true,
    }),
    detach: boolean({ char: 'd', summary: "Don't wait until the tasks run." }),
    'env-file': string({
      summary: 'File with environment variables.',
      multiple: true,
      multipleNonGreedy: true,
    }),
    mode: string({ summary: 'One task per replica, or one per node.', options: ['replicated', 'global'] }),
    name: string({ summary: "The service's name; made up when left out." }),
    quiet: boolean({ char: 'q', summary: 'Print the id only.' }),
    wait: waitFlag,
  }
  /** Everything after the image belongs to the program. */
  static passThrough = true
  static textFlags = ['entrypoint']

  async run(): Promise<void> {
    const { raw, flags } = await this.parse(ServiceCreate)
    const [image, ...args] = positionals(raw) as [string, ...string[]]
    const { readCreateFlags } = await import('../../../swarm/client/create-flags.ts')
    const { newServiceSpec } = await import('../../../swarm/client/service-spec.ts')
    const { createService } = await import('../../../swarm/client/service-view.ts')
    const { name, changes } = await readCreateFlags(flags)
    const spec = newServiceSpec(name, image, args, changes)
    const api = await this.openApi(flags)
    const id = await createService(api, spec)
    this.log(id)
    if (!flags.detach) await this.waitForServices(api, [{ id, name }], flags)
  }
}
