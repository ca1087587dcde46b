import { failures } from '../../shared/errors.ts'

/** Volumes: texts are Docker's, since its clients show and compare them. */
export const volumeErrors = {
  E_VOLUME_NAME: {
    kind: 'user',
    http: 400,
    text: (p: { name: string }) =>
      p.name.length < 2
        ? 'volume name is too short, names should be at least two alphanumeric characters'
        : `create ${p.name}: ${JSON.stringify(p.name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  },
  E_NO_SUCH_VOLUME: {
    kind: 'user',
    http: 404,
    text: (p: { name: string }) => `get ${p.name}: no such volume`,
    next: () => 'list the volumes with: docker volume ls',
  },
  E_VOLUME_DRIVER: {
    kind: 'user',
    http: 404,
    text: (p: { driver: string }) =>
      `error looking up volume plugin ${p.driver}: plugin "${p.driver}" not found`,
    next: () => 'only the driver "local" is there',
  },
  E_VOLUME_OPTION: {
    kind: 'user',
    http: 400,
    text: (p: { name: string; option: string }) =>
      `create ${p.name}: the local driver does not support the option ${JSON.stringify(p.option)} yet`,
    next: () => 'mount it on the host and use a bind mount',
  },
  E_VOLUME_IN_USE: {
    kind: 'user',
    http: 409,
    text: (p: { name: string; users: string[] }) =>
      `remove ${p.name}: volume is in use - [${p.users.join(', ')}]`,
    next: () => 'remove the containers first',
  },
  E_VOLUME_FILTER: {
    kind: 'user',
    http: 400,
    text: (p: { filter: string }) => `invalid filter '${p.filter}'`,
  },
  E_VOLUME_IO: {
    kind: 'outside',
    http: 500,
    text: (p: { name: string; what: string; errno: string }) =>
      `cannot ${p.what} volume ${p.name}: ${p.errno}`,
  },
} as const

export const fail = failures(volumeErrors)
