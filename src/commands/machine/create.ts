import { string as stringArg } from '@oclif/core/args'
import { boolean, string } from '@oclif/core/flags'
import { driverFlags, optionsOf } from '../../cli/driver-flags.ts'
import { duration } from '../../cli/duration-flag.ts'
import { interruptSignal } from '../../cli/interrupt.ts'
import { MachineCommand } from '../../cli/machine-command.ts'
import { driverName } from '../../machine/drivers/registry.ts'

export default class Create extends MachineCommand {
  static override summary = 'Create a machine: a host with an engine on it, ready for use.'
  static override description =
    `Repeating the command after it was cut short completes the machine. What fails on the way is taken back.`
  static override examples = [
    '<%= config.bin %> create --driver local m1',
    '<%= config.bin %> create --driver local --swarm manager m1',
    '<%= config.bin %> create --driver local --swarm worker --swarm-join m1 w1',
    '<%= config.bin %> create --driver generic --generic-ip-address 192.0.2.10 web1',
  ]
  static override args = {
    name: stringArg({ description: 'Name of the machine; made up when left out.', ignoreStdin: true }),
  }
  static override flags = {
    driver: string({
      char: 'd',
      summary: 'Where the host comes from: local, generic.',
      env: 'TSMACHINE_DRIVER',
      default: 'local',
    }),
    swarm: string({ summary: 'Make it a member of a swarm.', options: ['manager', 'worker'] }),
    'swarm-join': string({
      summary: 'Machine whose swarm to join; for a worker the only manager when left out.',
      dependsOn: ['swarm'],
    }),
    'docker-context': boolean({
      summary: 'Write a context for the docker command.',
      default: true,
      allowNo: true,
    }),
    timeout: duration({ summary: 'How long to wait for the host and the engine. [default: 3m]' }),
    quiet: boolean({ char: 'q', summary: 'Print the name only.' }),
    ...driverFlags(),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Create)
    const progress = this.progress({ quiet: flags.quiet })
    const { timeout } = flags
    const app = await this.openApp(flags, {
      reporter: progress,
      signal: interruptSignal(),
      ...(timeout ? { waitMs: timeout } : {}),
    })
    const { createMachine } = await import('../../machine/create.ts')
    const role = flags.swarm as 'manager' | 'worker' | undefined
    try {
      const record = await createMachine(app, {
        name: args.name,
        driver: flags.driver,
        options: optionsOf(driverName(flags.driver), flags),
        swarm: role && { role, join: flags['swarm-join'] },
        dockerContext: flags['docker-context'],
      })
      await progress.settled()
      if (flags.quiet) return this.log(record.name)
      this.log(`Machine ${record.name} is ready.`)
      this.log(`Point docker at it:  eval $(${this.config.bin} env ${record.name})`)
    } finally {
      await progress.settled()
    }
  }
}
