/** What the instance is told at its first boot, and the keys that it is told. */

import { renderUserData } from '../../cloud-init/render.ts'
import { ec2UserDataBytes, packUserData, readUserData } from '../../cloud-init/user-data.ts'
import { bareKey, ensureSshKey, type SshKeyPair } from '../../ssh/keys.ts'
import type { DriverContext } from '../driver.ts'
import { settingsOf } from './settings.ts'

export function userKey({ paths, record }: DriverContext): Promise<SshKeyPair> {
  return ensureSshKey(paths.userKey, `tsmachine ${record.name}`)
}

/** The host's keys, known before it is there. */
export async function hostKeys({ paths, record }: DriverContext): Promise<string[]> {
  return [bareKey((await ensureSshKey(paths.hostKey, record.name)).public)]
}

/** The same bytes in every run: they are part of what the client token stands for. */
export async function userData(context: DriverContext): Promise<Uint8Array> {
  const { record, paths } = context
  const settings = settingsOf(record.options)
  const text = renderUserData({
    hostname: record.name,
    user: settings.sshUser,
    userPublicKey: (await userKey(context)).public,
    hostKey: await ensureSshKey(paths.hostKey, record.name),
    userData: settings.userData === undefined ? undefined : await readUserData(settings.userData),
  })
  return packUserData(text, ec2UserDataBytes)
}
