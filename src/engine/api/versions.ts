import { type Failure, failures } from '../../shared/errors.ts'

/** 1.52 changed the shape of several answers; up to here one shape serves all clients (docs/decisions). */
export const maxVersion = '1.51'
export const minVersion = '1.24'

const fail = failures({
  E_API_VERSION: { kind: 'user', http: 400, text: (p: { message: string }) => p.message },
} as const)

/** The refusal of a version in a path, in words that clients know; undefined where it is served. */
export function versionProblem(version: string | undefined): Failure | undefined {
  if (version === undefined) return undefined
  if (compare(version, minVersion) < 0) {
    return fail('E_API_VERSION', {
      message: `client version ${version} is too old. Minimum supported API version is ${minVersion}, please upgrade your client to a newer version`,
    })
  }
  if (compare(version, maxVersion) > 0) {
    return fail('E_API_VERSION', {
      message: `client version ${version} is too new. Maximum supported API version is ${maxVersion}`,
    })
  }
  return undefined
}

function compare(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number)
  const [majorB = 0, minorB = 0] = b.split('.').map(Number)
  return majorA - majorB || minorA - minorB
}
