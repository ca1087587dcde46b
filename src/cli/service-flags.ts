/**
 * Flags that `service create` and `service update` share, spelled as docker's. Lists are given by `--NAME` at
 * create, and changed by `--NAME-add` and `--NAME-rm` at update.
 */
import { boolean, integer, string } from '@oclif/core/flags'

const text = (summary: string) => string({ summary })
const list = (summary: string, char?: 'e' | 'l' | 'p') =>
  string({ summary, multiple: true, multipleNonGreedy: true, ...(char && { char }) })
const orders = ['stop-first', 'start-first']

export const singleFlags = {
  'endpoint-mode': string({ summary: 'How its name is answered.', options: ['vip', 'dnsrr'] }),
  entrypoint: text('Command in place of the one of the image.'),
  'health-cmd': text('Command that tells whether a task is healthy.'),
  'health-interval': text('Time between two checks.'),
  'health-retries': integer({ summary: 'Failed checks that make a task unhealthy.' }),
  'health-start-period': text('Time to start in, when failures do not count.'),
  'health-timeout': text('Longest time of one check.'),
  hostname: text('Host name of the containers; may have {{.Task.Slot}} and the like in it.'),
  'limit-cpu': text('CPUs that a task may use at most.'),
  'limit-memory': text('Memory that a task may use at most.'),
  'limit-pids': integer({ summary: 'Processes that a task may have at most.' }),
  'log-driver': text('Logging driver.'),
  'no-healthcheck': boolean({ summary: "Don't check health, whatever the image says." }),
  'read-only': boolean({ summary: 'Mount the root file system read-only.', allowNo: true }),
  replicas: integer({ summary: 'Number of tasks.', min: 0 }),
  'replicas-max-per-node': integer({ summary: 'Most tasks on one node; 0 is no limit.', min: 0 }),
  'reserve-cpu': text('CPUs that a node must have free for a task.'),
  'reserve-memory': text('Memory that a node must have free for a task.'),
  'restart-condition': string({ summary: 'When to restart.', options: ['none', 'on-failure', 'any'] }),
  'restart-delay': text('Time between two starts; without it, it grows from 0 while tasks fail young.'),
  'restart-max-attempts': integer({ summary: 'Restarts at most; 0 is no limit.', min: 0 }),
  'restart-window': text('Time within which restarts are counted.'),
  'rollback-delay': text('Time between two tasks of a rollback.'),
  'rollback-failure-action': string({
    summary: 'What a failed rollback does.',
    options: ['pause', 'continue'],
  }),
  'rollback-max-failure-ratio': text('Part of the tasks that may fail in a rollback.'),
  'rollback-monitor': text('Time after a start in which a failure counts for a rollback.'),
  'rollback-order': string({ summary: 'Order of a rollback.', options: orders }),
  'rollback-parallelism': integer({ summary: 'Tasks rolled back at once; 0 is all.', min: 0 }),
  'stop-grace-period': text('Time to stop in before a task is killed.'),
  'stop-signal': text('Signal that stops a task.'),
  tty: boolean({ char: 't', summary: 'Give each task a terminal.', allowNo: true }),
  'update-delay': text('Time between two tasks of an update.'),
  'update-failure-action': string({
    summary: 'What a failed update does.',
    options: ['pause', 'continue', 'rollback'],
  }),
  'update-max-failure-ratio': text('Part of the tasks that may fail in an update.'),
  'update-monitor': text('Time after a start in which a failure counts for an update.'),
  'update-order': string({ summary: 'Order of an update.', options: orders }),
  'update-parallelism': integer({ summary: 'Tasks updated at once; 0 is all.', min: 0 }),
  user: string({ char: 'u', summary: 'User of the command, NAME or UID, perhaps with :GROUP.' }),
  workdir: string({ char: 'w', summary: 'Folder of the command.' }),
}

/** Lists that update changes by -add and -rm. */
export const listFlags = {
  constraint: list('Condition that a node must meet, such as node.labels.zone==north.'),
  'container-label': list('Label of the containers.'),
  dns: list('Name server of the containers.'),
  'dns-option': list('Option of the resolver.'),
  'dns-search': list('Domain that names are looked for in.'),
  env: list('Environment variable NAME=VALUE.', 'e'),
  group: list('Further group of the command.'),
  label: list('Label of the service.', 'l'),
  mount: list('Mount: type=volume,source=NAME,target=/PATH,readonly.'),
  network: list('Network, perhaps name=NAME,alias=ALIAS.'),
  'placement-pref': list('Spread over a label: spread=node.labels.zone.'),
  publish: list('Port of every node: PUBLISHED:TARGET, or published=80,target=80,mode=host.', 'p'),
  sysctl: list('Kernel parameter NAME=VALUE.'),
}

/** Lists that only grow, and are spelled the same at create and update. */
export const plainLists = {
  'cap-add': list('Capability to give.'),
  'cap-drop': list('Capability to take.'),
  'log-opt': list('Option of the logging driver, NAME=VALUE.'),
}
