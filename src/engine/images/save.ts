/**
 * `docker save`: an archive that both `docker load` (manifest.json) and OCI tools (index.json) read, as Docker
 * writes it since version 25. Blobs leave as they came, so that digests stay.
 */
import { configOf, findImage } from './catalog.ts'
import { detectCompression } from './compression.ts'
import { emitEvent, type ImageContext } from './context.ts'
import { type Digest, digestOf, hexOf } from './digest.ts'
import type { ImageRecord } from './records.ts'
import { familiarReference, parseReference, type Reference, repositoryOf } from './reference.ts'
import { encodeHeader, endOfTar, paddingFor } from './tar/encode.ts'

interface Saved {
  record: ImageRecord
  /** With a tag each. */
  names: Reference[]
  /** The manifest's bytes where the image came without one. */
  madeManifest?: Buffer
  manifestDigest: Digest
  manifestSize: number
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const layerTypes = {
  none: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
}

/**
 * The archive as it is to be sent. The images are held while it is read. An image named by its id goes without
 * a name, one named by a reference with that one.
 * @throws E_NO_SUCH_IMAGE before the first byte
 */
export function saveImages(context: ImageContext, refs: string[]): AsyncGenerator<Buffer> {
  const chosen = new Map<Digest, Saved>()
  for (const ref of refs) {
    const { record, key } = findImage(context, ref)
    const saved = chosen.get(record.id) ?? { record, names: [], ...manifestOf(context, record) }
    const name = key === undefined ? undefined : parseReference(key)
    if (name?.tag) saved.names.push(name)
    chosen.set(record.id, saved)
  }
  return write(context, [...chosen.values()])
}

async function* write(context: ImageContext, images: Saved[]): AsyncGenerator<Buffer> {
  const digests = new Set(images.flatMap(({ record }) => [record.id, ...record.layers]))
  for (const { record } of images) if (record.manifest) digests.add(record.manifest)
  const lease = context.leases.hold([...digests, ...images.map(({ record }) => record.id)])
  try {
    yield folder('blobs/')
    yield folder('blobs/sha256/')
    for (const digest of digests) yield* blob(context, digest)
    for (const { madeManifest, manifestDigest } of images) {
      if (madeManifest) yield small(`blobs/sha256/${hexOf(manifestDigest)}`, madeManifest)
    }
    yield small('index.json', json(ociIndex(images)))
    yield small('manifest.json', json(dockerManifest(images)))
    yield small('oci-layout', json({ imageLayoutVersion: '1.0.0' }))
    yield small('repositories', json(repositories(images)))
    yield endOfTar
    for (const { record } of images) emitEvent(context, 'save', record.id, record.id)
  } finally {
    lease.release()
  }
}

/** The one it came with, else one made from what there is: the same for the same image. */
function manifestOf(
  context: ImageContext,
  record: ImageRecord,
): Pick<Saved, 'madeManifest' | 'manifestDigest' | 'manifestSize'> {
  if (record.manifest) {
    return { manifestDigest: record.manifest, manifestSize: context.content.sizeOf(record.manifest) }
  }
  const { diff_ids } = configOf(context, record.id).rootfs
  const made = json({
    schemaVersion: 2,
    mediaType: manifestType,
    config: describe(context, 'application/vnd.oci.image.config.v1+json', record.id),
    layers: record.layers.map((digest, i) =>
      describe(
        context,
        digest === diff_ids[i] ? layerTypes.none : layerTypes[packingOf(context, digest)],
        digest,
      ),
    ),
  })
  return { madeManifest: made, manifestDigest: digestOf(made), manifestSize: made.length }
}

function packingOf(context: ImageContext, digest: Digest): 'none' | 'gzip' | 'zstd' {
  const packing = detectCompression(context.content.readHead(digest))
  return packing === 'gzip' || packing === 'zstd' ? packing : 'none'
}

function describe(context: ImageContext, mediaType: string, digest: Digest) {
  return { mediaType, digest, size: context.content.sizeOf(digest) }
}

function ociIndex(images: Saved[]) {
  const manifests = images.flatMap(({ names, manifestDigest, manifestSize }) => {
    const descriptor = { mediaType: manifestType, digest: manifestDigest, size: manifestSize }
    if (names.length === 0) return [descriptor]
    return names.map((name) => ({
      ...descriptor,
      annotations: {
        'io.containerd.image.name': `${repositoryOf(name)}:${name.tag}`,
        'org.opencontainers.image.ref.name': name.tag!,
      },
    }))
  })
  return { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests }
}

function dockerManifest(images: Saved[]) {
  return images.map(({ record, names }) => ({
    Config: `blobs/sha256/${hexOf(record.id)}`,
    RepoTags: names.length > 0 ? names.map(familiarReference) : null,
    Layers: record.layers.map((digest) => `blobs/sha256/${hexOf(digest)}`),
  }))
}

function repositories(images: Saved[]) {
  const map: Record<string, Record<string, string>> = {}
  for (const { record, names } of images) {
    for (const name of names) {
      const repository = familiarReference({ domain: name.domain, path: name.path })
      map[repository] = { ...map[repository], [name.tag!]: hexOf(record.layers.at(-1) ?? record.id) }
    }
  }
  return map
}

async function* blob(context: ImageContext, digest: Digest): AsyncGenerator<Buffer> {
  const size = context.content.sizeOf(digest)
  yield encodeHeader({ type: 'file', name: `blobs/sha256/${hexOf(digest)}`, mode: 0o644, size })
  for await (const chunk of context.content.read(digest)) yield chunk as Buffer
  yield paddingFor(size)
}

function small(name: string, data: Buffer): Buffer {
  const header = encodeHeader({ type: 'file', name, mode: 0o644, size: data.length })
  return Buffer.concat([header, data, paddingFor(data.length)])
}

function folder(name: string): Buffer {
  return encodeHeader({ type: 'folder', name, mode: 0o755 })
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
