/**
 * `tshost oci`: the command line that conmon, podman and containerd expect of an OCI runtime (runc's own).
 * Apart from oclif, since each call pays for what it loads. It prints nothing but what those callers read;
 * an error goes to stderr, and to the file of --log, where they look for it.
 */
import { appendFileSync } from 'node:fs'
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { causeChain, Failure, messageOf } from '../../../shared/errors.ts'
import { StateStore } from './state.ts'

const global = {
  root: { type: 'string', default: '/run/tshost-oci' },
  log: { type: 'string' },
  'log-format': { type: 'string', default: 'text' },
  debug: { type: 'boolean' },
  'systemd-cgroup': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig

const usage = `usage: tshost oci [--root DIR] [--log FILE] [--log-format text|json] COMMAND
  create [--bundle DIR] [--pid-file FILE] [--console-socket PATH] ID
  start ID
  run [--bundle DIR] [--pid-file FILE] ID
  state ID
  kill [--all] ID [SIGNAL]
  delete [--force] ID
  list`

/** Runs one call. @returns the exit code */
export async function runOci(argv: string[]): Promise<number> {
  const at = firstCommand(argv)
  let log: { file?: string; json: boolean; debug: boolean } = { json: false, debug: false }
  try {
    const { values } = parseArgs({ args: argv.slice(0, at), options: global })
    log = { file: values.log, json: values['log-format'] === 'json', debug: values.debug ?? false }
    if (values.help) {
      process.stdout.write(`${usage}\n`)
      return 0
    }
    const command = argv[at]
    const verb = command === undefined ? undefined : verbs[command]
    if (!verb) {
      process.stderr.write(`${command ? `unknown command ${command}\n` : ''}${usage}\n`)
      return command ? 2 : 0
    }
    return await verb(new StateStore(values.root), argv.slice(at + 1))
  } catch (error) {
    report(error, log)
    return error instanceof Failure ? error.exit : 1
  }
}

/** Global flags come before the command; those with a value take the next word, unless it has a "=". */
function firstCommand(argv: string[]): number {
  let i = 0
  while (i < argv.length && argv[i]!.startsWith('-')) {
    const name = argv[i]!.replace(/^-+/, '')
    const option = (global as Record<string, { type: string }>)[name]
    i += option?.type === 'string' ? 2 : 1
  }
  return i
}

type Verb = (store: StateStore, args: string[]) => Promise<number>

/** The one id that every verb but `list` wants. */
function idOf(positionals: string[]): string {
  const [id] = positionals
  if (!id) throw new TypeError(`a container id is missing\n${usage}`)
  return id
}

const createFlags = {
  bundle: { type: 'string', short: 'b', default: '.' },
  'pid-file': { type: 'string' },
  'console-socket': { type: 'string' },
  'no-pivot': { type: 'boolean' },
  'no-new-keyring': { type: 'boolean' },
  'preserve-fds': { type: 'string' },
} as const satisfies ParseArgsOptionsConfig

const verbs: Record<string, Verb> = {
  create: async (store, args) => {
    await create(store, args)
    return 0
  },
  start: async (store, args) => {
    const { positionals } = parseArgs({ args, allowPositionals: true })
    ;(await import('./commands.ts')).startContainer(store, idOf(positionals))
    return 0
  },
  run: async (store, args) => {
    const { startContainer, waitForChild, deleteContainer } = await import('./commands.ts')
    const state = await create(store, args)
    try {
      startContainer(store, state.id)
      return await waitForChild(state.pid)
    } finally {
      await deleteContainer(store, state.id, true)
    }
  },
  state: async (store, args) => {
    const { positionals } = parseArgs({ args, allowPositionals: true })
    const { describeState } = await import('./commands.ts')
    process.stdout.write(`${JSON.stringify(describeState(store, idOf(positionals)), null, 2)}\n`)
    return 0
  },
  kill: async (store, args) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { all: { type: 'boolean', short: 'a' } },
    })
    const { killContainer, signalNumber } = await import('./commands.ts')
    const signal = signalNumber(positionals[1] ?? 'TERM')
    if (signal === undefined) throw new TypeError(`unknown signal ${positionals[1]}`)
    killContainer(store, idOf(positionals), signal, values.all)
    return 0
  },
  delete: async (store, args) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { force: { type: 'boolean', short: 'f' } },
    })
    const { deleteContainer } = await import('./commands.ts')
    await deleteContainer(store, idOf(positionals), values.force ?? false)
    return 0
  },
  list: async (store) => {
    const { listStates } = await import('./commands.ts')
    process.stdout.write(`${JSON.stringify(listStates(store))}\n`)
    return 0
  },
}

async function create(store: StateStore, args: string[]) {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: createFlags })
  const { createContainer } = await import('./create.ts')
  return createContainer(store, {
    id: idOf(positionals),
    bundle: values.bundle,
    pidFile: values['pid-file'],
    consoleSocket: values['console-socket'],
  })
}

function report(error: unknown, log: { file?: string; json: boolean; debug: boolean }): void {
  const text = log.debug ? causeChain(error).join(': ') : messageOf(error)
  process.stderr.write(`tshost oci: ${text}\n`)
  if (!log.file) return
  const entry = log.json
    ? JSON.stringify({ level: 'error', msg: text, time: new Date().toISOString() })
    : text
  appendFileSync(log.file, `${entry}\n`)
}
