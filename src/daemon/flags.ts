/**
 * The flags of `tshost daemon`, declared once: the command frame, the bundle without it, and the reference all
 * read this list. Names are dockerd's.
 */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { failures } from '../shared/errors.ts'

const fail = failures({
  E_DAEMON_FLAG: {
    kind: 'user',
    exit: 2,
    text: (p: { problem: string }) => p.problem,
    next: () => 'see: tshost daemon --help',
  },
} as const)

export interface DaemonFlag {
  type: 'string' | 'boolean'
  short?: string
  multiple?: boolean
  summary: string
  default?: string
  options?: readonly string[]
}

export const logLevels = ['debug', 'info', 'warn', 'error', 'fatal'] as const

export const daemonFlags = {
  host: {
    type: 'string',
    short: 'H',
    multiple: true,
    summary:
      'Where to listen: unix:///path, or tcp://address:port with --tlsverify. May be given many times.',
  },
  'data-root': { type: 'string', default: '/var/lib/tshost', summary: 'Folder of all that is kept.' },
  'exec-root': {
    type: 'string',
    default: '/var/run/tshost',
    summary: 'Folder of what lives until the next boot.',
  },
  pidfile: {
    type: 'string',
    short: 'p',
    default: '/var/run/tshost.pid',
    summary: 'File for the daemon’s pid.',
  },
  tls: { type: 'boolean', summary: 'Serve TCP with TLS; clients are always verified.' },
  tlsverify: { type: 'boolean', summary: 'Serve TCP with TLS and verify clients.' },
  tlscacert: { type: 'string', default: '/etc/tshost/ca.pem', summary: 'CA that signs clients.' },
  tlscert: { type: 'string', default: '/etc/tshost/server.pem', summary: 'The server’s certificate.' },
  tlskey: { type: 'string', default: '/etc/tshost/server-key.pem', summary: 'Its key.' },
  bip: { type: 'string', summary: 'Address and prefix of the default bridge, such as 172.17.0.1/16.' },
  group: {
    type: 'string',
    short: 'G',
    default: 'docker',
    summary: 'Group that may use the unix socket, if there is one.',
  },
  label: {
    type: 'string',
    multiple: true,
    summary: 'A label of the engine, key=value. May be given many times.',
  },
  'log-level': {
    type: 'string',
    short: 'l',
    default: 'info',
    options: logLevels,
    summary: 'Least level that is logged.',
  },
  debug: { type: 'boolean', short: 'D', summary: 'The same as --log-level debug.' },
} as const satisfies Record<string, DaemonFlag>

export interface DaemonOptions {
  hosts: string[]
  dataRoot: string
  execRoot: string
  pidfile: string
  tls?: { ca: string; cert: string; key: string }
  bip?: string
  group: string
  labels: string[]
  logLevel: (typeof logLevels)[number]
}

export type DaemonValues = {
  [name in keyof typeof daemonFlags]?: (typeof daemonFlags)[name] extends { multiple: true }
    ? string[]
    : (typeof daemonFlags)[name] extends { type: 'boolean' }
      ? boolean
      : string
}

/** Reads a command line without the command frame. @throws E_DAEMON_FLAG */
export function parseDaemonArgs(args: string[]): DaemonOptions {
  try {
    const { values } = parseArgs({
      args,
      options: daemonFlags as unknown as ParseArgsOptionsConfig,
      strict: true,
    })
    return daemonOptions(values as DaemonValues)
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) {
      throw fail('E_DAEMON_FLAG', { problem: (error as Error).message }, error)
    }
    throw error
  }
}

/** Fills in the defaults. @throws E_DAEMON_FLAG */
export function daemonOptions(values: DaemonValues): DaemonOptions {
  const text = (
    name: 'data-root' | 'exec-root' | 'pidfile' | 'tlscacert' | 'tlscert' | 'tlskey' | 'group' | 'log-level',
  ) => values[name] ?? daemonFlags[name].default
  const level = values.debug ? 'debug' : text('log-level')
  if (!(logLevels as readonly string[]).includes(level)) {
    throw fail('E_DAEMON_FLAG', { problem: `--log-level ${level} is none of ${logLevels.join(', ')}` })
  }
  for (const name of ['data-root', 'exec-root', 'pidfile'] as const) {
    if (!text(name).startsWith('/'))
      throw fail('E_DAEMON_FLAG', { problem: `--${name} ${text(name)} is no absolute path` })
  }
  const badLabel = values.label?.find((label) => !/^[^=]+=/.test(label))
  if (badLabel) throw fail('E_DAEMON_FLAG', { problem: `--label ${badLabel} is not of the form key=value` })
  return {
    hosts: values.host?.length ? values.host : ['unix:///var/run/docker.sock'],
    dataRoot: text('data-root'),
    execRoot: text('exec-root'),
    pidfile: text('pidfile'),
    tls:
      values.tls || values.tlsverify
        ? { ca: text('tlscacert'), cert: text('tlscert'), key: text('tlskey') }
        : undefined,
    bip: values.bip,
    group: text('group'),
    labels: values.label ?? [],
    logLevel: level as DaemonOptions['logLevel'],
  }
}
