/**
 * A service's keys about its container -> ContainerSpec. Beware: Compose's `command` is Swarm's Args, and
 * its `entrypoint` Swarm's Command.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import type { ContainerSpec, HealthConfig } from '../store/objects/task-spec.ts'
import { defined } from './deploy-keys.ts'
import { parseEnvFile } from './env-file.ts'
import { readMounts } from './mounts.ts'
import { type Names, textsOf } from './names.ts'
import type { Reader } from './reader.ts'
import { splitWords } from './words.ts'

export async function readContainer(service: Reader, names: Names): Promise<ContainerSpec> {
  const image = service.at('image')
  if (!image.text()) {
    throw service.invalid('image is missing; a stack runs images that are built already')
  }
  const mounts = readMounts(service, names)
  const env = await readEnvironment(service)
  return {
    Image: image.text()!,
    Labels: names.labels(textsOf(service.at('labels').pairs())),
    ...defined({
      Command: readCommand(service.at('entrypoint')),
      Args: readCommand(service.at('command')),
      Hostname: service.at('hostname').text(),
      Env: env.length > 0 ? env : undefined,
      Dir: service.at('working_dir').text(),
      User: service.at('user').text(),
      Groups: service.at('group_add').texts(),
      TTY: service.at('tty').flag() || undefined,
      OpenStdin: service.at('stdin_open').flag() || undefined,
      ReadOnly: service.at('read_only').flag() || undefined,
      Mounts: mounts.length > 0 ? mounts : undefined,
      StopSignal: service.at('stop_signal').text(),
      StopGracePeriod: service.at('stop_grace_period').duration(),
      Healthcheck: readHealth(service.at('healthcheck')),
      Hosts: readHosts(service.at('extra_hosts')),
      DNSConfig: defined({
        Nameservers: service.at('dns').texts(),
        Search: service.at('dns_search').texts(),
        Options: service.at('dns_opt').texts(),
      }),
      Init: service.at('init').flag(),
      Isolation: service.at('isolation').text(),
      Sysctls: service.at('sysctls').isThere ? textsOf(service.at('sysctls').pairs()) : undefined,
      CapabilityAdd: capabilities(service.at('cap_add')),
      CapabilityDrop: capabilities(service.at('cap_drop')),
      Ulimits: readUlimits(service.at('ulimits')),
      OomScoreAdj: service.at('oom_score_adj').number(),
    }),
  }
}

function readCommand(command: Reader): string[] | undefined {
  if (!command.isText) return command.texts()
  const words = splitWords(command.text()!)
  if (!words) throw command.invalid('a quote is not closed')
  return words
}

/** Sorted, so that the same environment is the same text. A key without value takes the caller's. */
async function readEnvironment(service: Reader): Promise<string[]> {
  const values = new Map<string, string | null>()
  for (const entry of service.at('env_file').items()) {
    for (const [key, value] of await readEnvFile(entry)) values.set(key, value)
  }
  for (const [key, value] of Object.entries(service.at('environment').pairs())) {
    values.set(key, value ?? service.variables[key] ?? null)
  }
  return [...values].map(([key, value]) => (value === null ? key : `${key}=${value}`)).sort()
}

async function readEnvFile(entry: Reader): Promise<[string, string | null][]> {
  const name = entry.isMap ? entry.at('path').text()! : entry.text()!
  try {
    const text = await readFile(resolve(entry.folder, name), 'utf8')
    return [...parseEnvFile(text, entry.variables)].map(([key, value]) => [
      key,
      value ?? entry.variables[key] ?? null,
    ])
  } catch (error) {
    const isMissing = errnoOf(error) === 'ENOENT'
    if (isMissing && entry.at('required').flag() === false) return []
    throw entry.invalid(isMissing ? `there is no file ${name}` : `${name}: ${messageOf(error)}`)
  }
}

function readHealth(health: Reader): HealthConfig | undefined {
  if (!health.isThere) return undefined
  if (health.at('disable').flag()) return { Test: ['NONE'] }
  const test = health.at('test')
  const Test = test.isText ? ['CMD-SHELL', test.text()!] : test.texts()
  if (Test && !['NONE', 'CMD', 'CMD-SHELL'].includes(Test[0] ?? '')) {
    throw test.invalid('a list must begin with NONE, CMD or CMD-SHELL')
  }
  return defined({
    Test,
    Interval: health.at('interval').duration(),
    Timeout: health.at('timeout').duration(),
    Retries: health.at('retries').count(),
    StartPeriod: health.at('start_period').duration(),
    StartInterval: health.at('start_interval').duration(),
  })
}

/** "NAME:ADDRESS", "NAME=ADDRESS" or a map -> lines of hosts(5). */
function readHosts(hosts: Reader): string[] | undefined {
  if (!hosts.isThere) return undefined
  if (hosts.isMap) {
    return hosts
      .keys()
      .flatMap((name) => (hosts.at(name).texts() ?? []).map((address) => `${address} ${name}`))
  }
  return hosts.items().map((item) => {
    const match = /^([^:=]+)[:=](.+)$/.exec(item.text() ?? '')
    if (!match) throw item.invalid(`'${item.text()}' is not NAME:ADDRESS`)
    return `${match[2]!.replace(/^\[|\]$/g, '')} ${match[1]}`
  })
}

function capabilities(list: Reader): string[] | undefined {
  return list.texts()?.map((name) => {
    const upper = name.toUpperCase()
    return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`
  })
}

function readUlimits(ulimits: Reader): ContainerSpec['Ulimits'] {
  if (!ulimits.isThere) return undefined
  return ulimits.keys().map((Name) => {
    const limit = ulimits.at(Name)
    const [soft, hard] = limit.isMap
      ? [limit.at('soft').number(), limit.at('hard').number()]
      : [limit.number(), limit.number()]
    if (soft === undefined || hard === undefined) throw limit.invalid('a limit has soft and hard')
    return { Name, Soft: soft, Hard: hard }
  })
}
