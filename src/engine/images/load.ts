/** `docker load`: an archive of images, streamed in. */
import { hostArch } from '../kernel/arch.ts'
import { addImages } from './add.ts'
import { ArchiveFiles } from './archive-files.ts'
import { findImages, keysOf } from './archive-manifest.ts'
import { collectGarbage } from './collect.ts'
import { emitEvent, type ImageContext } from './context.ts'
import { type Digest, hexOf } from './digest.ts'
import { familiarReference, parseReference } from './reference.ts'

/** One object of the stream that `POST /images/load` answers with. */
export interface LoadProgress {
  stream?: string
  status?: string
  progressDetail?: { current: number; total: number }
  id?: string
}

export interface LoadedImage {
  id: Digest
  /** As docker shows them. */
  names: string[]
}

/**
 * Loads all images of an archive, or none: on failure nothing of it is left.
 * @param source docker-archive (old and new form) or OCI layout; plain, gzip or zstd
 * @throws E_ARCHIVE, E_IMAGE_CONFIG, E_REFERENCE, E_DIGEST, E_LAYER, E_LAYER_ENTRY, E_STORE_FULL, E_STORE_IO
 */
export async function loadImages(
  context: ImageContext,
  source: AsyncIterable<Buffer>,
  onProgress: (progress: LoadProgress) => void = () => {},
): Promise<LoadedImage[]> {
  const files = await ArchiveFiles.read(source, context.content, context.limits)
  try {
    const platform = { os: 'linux', architecture: hostArch().goName }
    const found = await findImages(files, platform)
    const incoming = found.map((image) => ({ image, keys: keysOf(image) }))
    const added = await addImages(context, incoming, (diffId, current, total) => {
      const id = hexOf(diffId).slice(0, 12)
      onProgress({ status: 'Loading layer', progressDetail: { current, total }, id })
    })
    return added.map(({ id, moved }, i) => {
      const keys = incoming[i]!.keys
      announce(keys, id, moved, onProgress)
      emitEvent(context, 'load', id, id)
      return { id, names: keys.map(familiar) }
    })
  } finally {
    await files.discard()
    await collectGarbage(context)
  }
}

/** Docker's words. */
function announce(
  keys: string[],
  id: Digest,
  moved: Map<string, Digest>,
  onProgress: (progress: LoadProgress) => void,
): void {
  for (const key of keys) {
    const name = familiar(key)
    const before = moved.get(key)
    if (before) {
      const text = `The image ${name} already exists, renaming the old one with ID ${before} to empty string\n`
      onProgress({ stream: text })
    }
    onProgress({ stream: `Loaded image: ${name}\n` })
  }
  if (keys.length === 0) onProgress({ stream: `Loaded image ID: ${id}\n` })
}

function familiar(key: string): string {
  return familiarReference(parseReference(key))
}
