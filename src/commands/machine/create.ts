import { string as stringArg } from '@oclif/core/args'
import { boolean, integer, string } from '@oclif/core/flags'
import { driverFlags, optionsOf } from '../../cli/driver-flags.ts'
import { duration } from '../../cli/duration-flag.ts'
import { interruptSignal } from '../../cli/interrupt.ts'
import { MachineCommand } from '../../cli/machine-command.ts'
import { driverName, drivers } from '../../machine/drivers/registry.ts'

export default class Create extends MachineCommand {
  static override summary = 'Create a machine: a host with an engine on it, ready for use.'
  static override description =
    `Repeating the command after it was cut short completes the machine. What fails on the way is taken back.`
  static override examples = [
    '<%= config.bin %> create --driver local m1',
    '<%= config.bin %> create --driver local --swarm manager m1',
    '<%= config.bin %> create --driver local --swarm worker --count 3 w',
    '<%= config.bin %> create --driver local --swarm worker --swarm-join m1 w1',
    '<%= config.bin %> create --driver ec2 --ec2-region eu-north-1 web1',
    '<%= config.bin %> create --driver generic --generic-ip-address 192.0.2.10 web1',
  ]
  static override args = {
    name: stringArg({ description: 'Name of the machine; made up when left out.', ignoreStdin: true }),
  }
  static override flags = {
    driver: string({
      char: 'd',
      summary: `Where the host comes from: ${Object.keys(drivers).join(', ')}.`,
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
    count: integer({
      summary: 'Make so many at once, called NAME-1, NAME-2 and so on; those that are there already stay.',
      min: 1,
      max: 100,
    }),
    quorum: integer({
      summary: 'With --count: how many must be made for success; all when left out.',
      min: 1,
      dependsOn: ['count'],
    }),
    ttl: duration({ summary: 'Let gc take it away after this time, such as 8h or 90m.' }),
    'keep-failed': boolean({ summary: 'Keep what was made when a step fails, instead of taking it back.' }),
    timeout: duration({ summary: 'How long to wait for the host and the engine. [default: 3m]' }),
    quiet: boolean({ char: 'q', summary: 'Print the name only.' }),
    ...driverFlags(),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Create)
    const { createMachine } = await import('../../machine/create.ts')
    const { timeout, count } = flags
    const app = await this.openApp(flags, {
      signal: interruptSignal(),
      ...(timeout ? { waitMs: timeout } : {}),
    })
    const role = flags.swarm as 'manager' | 'worker' | undefined
    const request = {
      driver: flags.driver,
      options: optionsOf(driverName(flags.driver), flags),
      swarm: role && { role, join: flags['swarm-join'] },
      dockerContext: flags['docker-context'],
      ttlMs: flags.ttl,
      keepFailed: flags['keep-failed'],
    }
    if (count === undefined) {
      const progress = this.progress({ quiet: flags.quiet })
      try {
        const record = await createMachine({ ...app, reporter: progress }, { ...request, name: args.name })
        await progress.settled()
        this.tell(record.name, flags.quiet)
      } finally {
        await progress.settled()
      }
      return
    }
    const { createMachines } = await import('../../machine/create-many.ts')
    await createMachines(
      app,
      { ...request, name: args.name, count, quorum: flags.quorum ?? count },
      {
        progress: (prefix) => this.progress({ prefix, quiet: flags.quiet }),
        made: (name) => this.tell(name, flags.quiet),
        failed: (name, error) => this.logToStderr(`${this.config.bin}: ${name}: ${error.message}`),
      },
    )
  }

  private tell(name: string, quiet: boolean): void {
    if (quiet) {
      this.log(name)
      return
    }
    this.log(`Machine ${name} is ready.`)
    this.log(`Point docker at it:  eval $(${this.config.bin} env ${name})`)
  }
}
