import { string as stringArg } from '@oclif/core/args'
import { boolean, string } from '@oclif/core/flags'
import { listFlags, plainLists, singleFlags } from '../../../cli/service-flags.ts'
import { SwarmCommand, waitFlag } from '../../../cli/swarm-command.ts'

const list = (name: string, verb: string) =>
  string({ summary: `${verb} of --${name}.`, multiple: true, multipleNonGreedy: true })
const changes = Object.fromEntries(
  [...Object.keys(listFlags), 'host'].flatMap((name) => [
    [`${name}-add`, list(name, 'Add or change a value')],
    [`${name}-rm`, list(name, 'Take away a value')],
  ]),
)

export default class ServiceUpdate extends SwarmCommand {
  static override summary = 'Change a service; its tasks follow one after another.'
  static override examples = [
    '<%= config.bin %> service update --image web:2 web',
    '<%= config.bin %> service update --env-add LEVEL=debug --publish-add 8081:81 web',
    '<%= config.bin %> service update --rollback web',
  ]
  static override args = {
    service: stringArg({ description: 'Name or id of the service.', required: true, ignoreStdin: true }),
  }
  static override flags = {
    ...singleFlags,
    ...changes,
    ...plainLists,
    args: string({ summary: 'Arguments of the command, as one text.' }),
    detach: boolean({ char: 'd', summary: "Don't wait until the tasks run." }),
    force: boolean({ summary: 'Replace the tasks even if nothing changes.' }),
    image: string({ summary: 'Image that the tasks run.' }),
    quiet: boolean({ char: 'q', summary: 'Show no progress.' }),
    rollback: boolean({ summary: 'Go back to the spec before the last change.' }),
    wait: waitFlag,
  }
  static textFlags = ['args', 'entrypoint']

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ServiceUpdate)
    const api = await this.openApi(flags)
    const { changeService, networkIds } = await import('../../../swarm/client/service-view.ts')
    const { changeServiceSpec } = await import('../../../swarm/client/service-spec.ts')
    const removed = (flags as { 'network-rm'?: string[] })['network-rm'] ?? []
    const given = { ...flags, 'network-rm': await networkIds(api, removed) }
    const { ID, Spec } = flags.rollback
      ? await changeService(api, args.service, (spec) => spec, { rollback: 'previous' })
      : await changeService(api, args.service, (spec) => changeServiceSpec(spec, given))
    this.log(args.service)
    if (!flags.detach) await this.waitForServices(api, [{ id: ID, name: Spec.Name }], flags)
  }
}
