import { failures } from '../../shared/errors.ts'

/** Images: what is refused and what is not there. Texts follow Docker's where its clients show or read them. */
export const imageErrors = {
  E_REFERENCE: {
    kind: 'user',
    http: 400,
    text: (p: { problem: string }) => p.problem,
    next: () => 'write it as [HOST[:PORT]/]NAME[:TAG][@DIGEST], the name in lower case',
  },
  E_NO_SUCH_IMAGE: {
    kind: 'user',
    http: 404,
    text: (p: { ref: string }) => `No such image: ${p.ref}`,
    next: () => 'list the images with: docker images',
  },
  E_AMBIGUOUS_IMAGE: {
    kind: 'user',
    // 404, since `docker inspect` goes on to look for other things of that name only after a 404.
    http: 404,
    text: (p: { ref: string; count: number }) =>
      `No such image: ${p.ref}: the ids of ${p.count} images begin with it`,
    next: () => 'give more digits of the id',
  },
  E_IMAGE_CONFLICT: { kind: 'user', http: 409, text: (p: { problem: string }) => `conflict: ${p.problem}` },
  E_IMAGE_FILTER: {
    kind: 'user',
    http: 400,
    text: (p: { filter: string }) => `invalid filter '${p.filter}'`,
  },
  E_ARCHIVE: {
    kind: 'user',
    http: 400,
    text: (p: { problem: string }) => `invalid image archive: ${p.problem}`,
    next: () => 'make the archive anew, with docker save or skopeo copy',
  },
  E_IMAGE_CONFIG: {
    kind: 'user',
    http: 400,
    text: (p: { image: string; problem: string }) =>
      `invalid configuration of image ${p.image}: ${p.problem}`,
  },
  E_LAYER: {
    kind: 'user',
    http: 400,
    text: (p: { layer: string; problem: string }) => `layer ${p.layer}: ${p.problem}`,
  },
  E_LAYER_ENTRY: {
    kind: 'user',
    http: 400,
    text: (p: { layer: string; entry: string; problem: string }) =>
      `layer ${p.layer}: entry ${p.entry}: ${p.problem}`,
  },
  E_DIGEST: {
    kind: 'outside',
    http: 400,
    text: (p: { what: string; expected: string; got: string }) =>
      `${p.what} is damaged: expected ${p.expected}, got ${p.got}`,
    next: () => 'fetch it again',
  },
  E_STORE_FULL: {
    kind: 'outside',
    http: 500,
    text: (p: { folder: string }) => `no space left on the disk of ${p.folder}`,
    next: () => 'remove what is not needed: docker image prune, docker volume prune',
    retryable: true,
  },
  E_STORE_IO: {
    kind: 'outside',
    http: 500,
    text: (p: { what: string; errno: string }) => `cannot store ${p.what}: ${p.errno}`,
  },
  E_STORE_BROKEN: {
    kind: 'outside',
    http: 500,
    text: (p: { path: string; problem: string }) => `the image store is damaged: ${p.path}: ${p.problem}`,
    next: () => 'restore the file from a backup, or move the data root away and load the images again',
  },
  E_NO_SUCH_BLOB: {
    kind: 'outside',
    http: 404,
    text: (p: { digest: string }) => `the content store has no blob ${p.digest}`,
  },
  E_UNPACK_THREAD: {
    kind: 'bug',
    http: 500,
    text: (p: { problem: string }) => `the thread that unpacks layers ended: ${p.problem}`,
    retryable: true,
  },
  E_PASSWD: {
    kind: 'user',
    http: 400,
    // Docker's words: they name the image's own files.
    text: (p: { kind: 'user' | 'group'; name: string }) =>
      `unable to find ${p.kind} ${p.name}: no matching entries in ${p.kind === 'user' ? 'passwd' : 'group'} file`,
    next: () => 'give a number, or a name that is in the image',
  },
  E_ID_RANGE: {
    kind: 'user',
    http: 400,
    text: (p: { value: string }) => `uids and gids must be in range 0-2147483647, not ${p.value}`,
  },
  E_ROOT_FILE: {
    kind: 'user',
    http: 400,
    text: (p: { path: string; problem: string }) => `${p.path} of the image: ${p.problem}`,
  },
  E_ARCHIVE_SOURCE: {
    kind: 'user',
    text: (p: { path: string; problem: string }) => `cannot put ${p.path} into an image: ${p.problem}`,
  },
} as const

export const fail = failures(imageErrors)
