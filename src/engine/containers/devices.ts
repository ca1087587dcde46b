import { statSync } from 'node:fs'
import { errnoOf } from '../../shared/errors.ts'
import type { Device } from '../runtime/spec.ts'
import { fail } from './errors.ts'

/** The device file at a path of the host, as a container is to have it. @throws E_PARAMETER where it is none */
export function statDevice(pathOnHost: string, pathInContainer: string): Device {
  const refuse = (problem: string) => fail('E_PARAMETER', { name: 'device', problem })
  if (!pathInContainer.startsWith('/')) throw refuse(`${pathInContainer} is no absolute path`)
  try {
    const stat = statSync(pathOnHost)
    if (!stat.isCharacterDevice() && !stat.isBlockDevice()) throw refuse(`${pathOnHost} is not a device`)
    return {
      type: stat.isBlockDevice() ? 'b' : 'c',
      path: pathInContainer,
      major: ((stat.rdev >> 8) & 0xfff) | 0,
      minor: (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00),
      fileMode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw refuse(`${pathOnHost} does not exist`)
    throw error
  }
}
