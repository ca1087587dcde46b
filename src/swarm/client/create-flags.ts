/**
 * Flags of `service create` as changes of an empty service.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { messageOf } from '../../shared/errors.ts'
import { fail } from '../errors.ts'
import { parseEnvFile } from '../stack/env-file.ts'
import type { ServiceFlags } from './service-spec.ts'

/** Lists whose flag at update is --NAME-add. */
const lists = [
  'constraint',
  'container-label',
  'dns',
  'dns-option',
  'dns-search',
  'env',
  'group',
  'label',
  'mount',
  'network',
  'placement-pref',
  'publish',
  'sysctl',
]

/** @throws E_FLAG_INVALID for an env file that can't be read */
export async function readCreateFlags(flags: ServiceFlags): Promise<{ name: string; changes: ServiceFlags }> {
  const changes: ServiceFlags = { ...flags }
  for (const list of lists) changes[`${list}-add`] = flags[list]
  changes['host-add'] = flags['add-host']
  const files = await Promise.all(((flags['env-file'] as string[] | undefined) ?? []).map(readEnv))
  changes['env-add'] = [...files.flat(), ...((flags.env as string[] | undefined) ?? [])]
  return { name: (flags.name as string | undefined) ?? `service-${randomBytes(4).toString('hex')}`, changes }
}

async function readEnv(path: string): Promise<string[]> {
  try {
    const values = parseEnvFile(await readFile(path, 'utf8'), {})
    return [...values].map(([key, value]) => (value === undefined ? key : `${key}=${value}`))
  } catch (error) {
    throw fail('E_FLAG_INVALID', { flag: 'env-file', value: path, why: messageOf(error) }, error)
  }
}
