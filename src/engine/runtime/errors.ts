import { failures } from '../../shared/errors.ts'

/** What can go wrong between a bundle and a running process. */
export const runtimeErrors = {
  E_SPEC: {
    kind: 'user',
    http: 400,
    text: (p: { field: string; problem: string }) =>
      `invalid container specification: ${p.field}: ${p.problem}`,
  },
  E_NO_EXECUTABLE: {
    kind: 'user',
    exit: 127,
    http: 400,
    // The docker command reads its exit code 127 out of these words.
    text: (p: { path: string }) =>
      `unable to start container process: exec: "${p.path}": ${p.path.includes('/') ? `stat ${p.path}: no such file or directory` : 'executable file not found in $PATH'}`,
    next: () => 'check the command and the PATH of the image',
  },
  E_NOT_EXECUTABLE: {
    kind: 'user',
    exit: 126,
    http: 400,
    // The docker command reads its exit code 126 out of these words.
    text: (p: { path: string }) => `unable to start container process: exec: "${p.path}": permission denied`,
    next: () => 'the file must be a program for this machine, with its execute bit set',
  },
  E_START: {
    kind: 'outside',
    http: 500,
    text: (p: { step: string; errno: string }) => `unable to start container process: ${p.step}: ${p.errno}`,
  },
  E_NO_CGROUPS: {
    kind: 'outside',
    http: 500,
    text: () => 'no cgroup file system is mounted on /sys/fs/cgroup',
    next: () => 'mount cgroup v2 there: mount -t cgroup2 cgroup2 /sys/fs/cgroup',
  },
  E_CONTAINER_ID: {
    kind: 'user',
    http: 400,
    text: (p: { id: string }) => `invalid container id ${JSON.stringify(p.id)}`,
    next: () => 'use letters, digits, and _ + - . after the first character',
  },
  E_CONTAINER_EXISTS: {
    kind: 'user',
    http: 409,
    text: (p: { id: string }) => `container ${p.id} exists already`,
    next: (p: { id: string }) => `choose another id, or delete it: tshost oci delete ${p.id}`,
  },
  E_CONTAINER_UNKNOWN: {
    kind: 'user',
    http: 404,
    text: (p: { id: string }) => `container ${p.id} does not exist`,
  },
  E_CONTAINER_STATE: {
    kind: 'user',
    http: 409,
    text: (p: { id: string; status: string; wanted: string }) =>
      `container ${p.id} is ${p.status}; it must be ${p.wanted}`,
  },
  E_MEMORY_MINIMUM: {
    kind: 'user',
    http: 400,
    text: () => 'Minimum memory limit allowed is 6MB',
  },
} as const

export const fail = failures(runtimeErrors)
