import { errnoOf, failures } from '../../shared/errors.ts'
import { SystemCallError } from '../kernel/errno.ts'

/** Containers: what the API answers when something is not to be had. Texts follow Docker's where tools read them. */
export const containerErrors = {
  E_NO_SUCH_CONTAINER: {
    kind: 'user',
    http: 404,
    text: (p: { ref: string }) => `No such container: ${p.ref}`,
    next: () => 'list the containers with: docker ps -a',
  },
  E_AMBIGUOUS_CONTAINER: {
    kind: 'user',
    http: 400,
    text: (p: { ref: string }) => `multiple containers have an id that begins with ${p.ref}`,
    next: () => 'give more digits of the id',
  },
  E_NAME_TAKEN: {
    kind: 'user',
    http: 409,
    text: (p: { name: string; id: string }) =>
      `Conflict. The container name "/${p.name}" is already in use by container "${p.id}". You have to remove (or rename) that container to be able to reuse that name.`,
  },
  E_CONTAINER_NAME: {
    kind: 'user',
    http: 400,
    text: (p: { name: string }) =>
      `Invalid container name (${p.name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  },
  E_NO_COMMAND: { kind: 'user', http: 400, text: () => 'no command specified' },
  E_ALREADY_STARTED: {
    kind: 'user',
    http: 304,
    text: (p: { id: string }) => `container ${p.id} is already started`,
  },
  E_ALREADY_STOPPED: {
    kind: 'user',
    http: 304,
    text: (p: { id: string }) => `container ${p.id} is already stopped`,
  },
  E_NOT_RUNNING: {
    kind: 'user',
    http: 409,
    text: (p: { id: string }) => `container ${p.id} is not running`,
  },
  E_PAUSED: {
    kind: 'user',
    http: 409,
    text: (p: { id: string; action: string }) =>
      `cannot ${p.action} container ${p.id}: it is paused; unpause it first`,
  },
  E_NOT_PAUSED: { kind: 'user', http: 409, text: (p: { id: string }) => `container ${p.id} is not paused` },
  E_REMOVE_RUNNING: {
    kind: 'user',
    http: 409,
    text: (p: { name: string }) =>
      `cannot remove container "${p.name}": container is running: stop the container before removing or force remove`,
  },
  E_BEING_REMOVED: {
    kind: 'user',
    http: 409,
    text: (p: { id: string }) => `removal of container ${p.id} is already in progress`,
  },
  E_NO_SUCH_EXEC: { kind: 'user', http: 404, text: (p: { id: string }) => `No such exec instance: ${p.id}` },
  E_EXEC_STARTED: {
    kind: 'user',
    http: 409,
    text: (p: { id: string }) => `exec ${p.id} has already run; create another`,
  },
  E_PARAMETER: {
    kind: 'user',
    http: 400,
    text: (p: { name: string; problem: string }) => `invalid ${p.name}: ${p.problem}`,
  },
  E_RESOURCES: { kind: 'user', http: 400, text: (p: { problem: string }) => p.problem },
  E_NAME_FORMAT: {
    kind: 'user',
    http: 400,
    text: (p: { what: string; text: string }) => `invalid ${p.what} format: ${p.text}`,
    next: () => 'use letters, digits, and - . _, at most 64 in all',
  },
  E_PLATFORM: {
    kind: 'user',
    // Not Docker's 404, at which its client goes to fetch the image, and tells of that instead.
    http: 400,
    text: (p: { image: string; has: string; wanted: string }) =>
      `image with reference ${p.image} was found but its platform (${p.has}) does not match the specified platform (${p.wanted})`,
    next: () => 'load the image for that platform, or leave --platform out',
  },
  E_UNSUPPORTED: {
    kind: 'user',
    http: 400,
    text: (p: { what: string }) => `${p.what} is not supported by this engine`,
    next: () => 'docs/api.md lists what is not',
  },
  E_BIND_SOURCE: {
    kind: 'user',
    http: 400,
    text: (p: { path: string }) =>
      `invalid mount config for type "bind": bind source path does not exist: ${p.path}`,
  },
  E_DISK_FULL: {
    kind: 'outside',
    http: 500,
    text: (p: { path: string }) => `no space left on the disk of ${p.path}`,
    next: () => 'remove what is not needed: docker container prune, docker image prune, docker volume prune',
    retryable: true,
  },
} as const

export const fail = failures(containerErrors)

/**
 * The file system's word that a disk is full, as a failure of ours; any other error as it is.
 * @param folder what was being written is below it, where the error itself names no path
 */
export function diskFailure(error: unknown, folder: string): unknown {
  const code = errnoOf(error)
  // A system call of ours that says it has run out of something else, such as namespaces.
  if ((code !== 'ENOSPC' && code !== 'EDQUOT') || error instanceof SystemCallError) return error
  return fail('E_DISK_FULL', { path: (error as NodeJS.ErrnoException).path ?? folder }, error)
}
