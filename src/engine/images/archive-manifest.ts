/**
 * What images an archive holds: by `manifest.json` (docker save of any version, skopeo), else by the
 * `index.json` of an OCI image layout (image-spec image-layout.md).
 */
import type { ArchiveFiles } from './archive-files.ts'
import type { Ingest } from './content.ts'
import { type Digest, hexOf, isDigest } from './digest.ts'
import { fail } from './errors.ts'
import { parseReference, type Reference, referenceKey } from './reference.ts'

export interface ArchivedImage {
  config: Ingest
  /** What the config's digest must be, where its name says so. */
  configDigest?: Digest
  /** Lowest first. */
  layers: { file: Ingest; digest?: Digest }[]
  manifest?: { file: Ingest; digest: Digest }
  /** With a tag each; none for an image that has no name. */
  names: Reference[]
}

export interface Platform {
  os: string
  architecture: string
}

interface Descriptor {
  mediaType: string
  digest: Digest
  annotations: Record<string, string>
  platform?: Platform
}

const mostImages = 1000
const mostNested = 4

/** @throws E_ARCHIVE, E_REFERENCE */
export async function findImages(files: ArchiveFiles, platform: Platform): Promise<ArchivedImage[]> {
  if (files.find('manifest.json')) return await dockerImages(files, platform)
  if (files.find('index.json')) return await ociImages(files, platform)
  const isAncient = files.find('repositories') !== undefined
  throw fail('E_ARCHIVE', {
    problem: isAncient
      ? 'it is of the form before Docker 1.10, which has no manifest.json'
      : 'it has neither manifest.json nor index.json',
  })
}

async function dockerImages(files: ArchiveFiles, platform: Platform): Promise<ArchivedImage[]> {
  const list = await files.readJson('manifest.json')
  if (!Array.isArray(list) || list.length === 0) throw refuse('manifest.json', 'must be a list of images')
  if (list.length > mostImages) throw refuse('manifest.json', `has more than ${mostImages} images`)
  // A docker archive of today is an OCI layout too; its manifests are what a registry would know the image by.
  const oci = files.find('index.json') ? await ociImages(files, platform, false) : []
  return list.map((item) => {
    const { Config, Layers, RepoTags } = toObject(item, 'manifest.json')
    if (typeof Config !== 'string') throw refuse('manifest.json', 'has an image without Config')
    if (!isTexts(Layers ?? []))
      throw refuse('manifest.json', 'has an image whose Layers are no list of names')
    if (!isTexts(RepoTags ?? [])) throw refuse('manifest.json', 'has RepoTags that are no list of names')
    const config = files.get(Config)
    return {
      config,
      configDigest: digestOfPath(Config),
      layers: ((Layers ?? []) as string[]).map((name) => ({
        file: files.get(name),
        digest: digestOfPath(name),
      })),
      manifest: oci.find((image) => image.config === config)?.manifest,
      names: ((RepoTags ?? []) as string[]).map(parseTagged),
    }
  })
}

async function ociImages(
  files: ArchiveFiles,
  platform: Platform,
  mustHaveAll = true,
): Promise<ArchivedImage[]> {
  const images = new Map<Ingest, ArchivedImage>()
  for (const descriptor of await readIndex(files, 'index.json')) {
    const found = await resolveIndex(files, descriptor, platform, mostNested)
    if (!found) continue
    if (!mustHaveAll && !files.find(blobPath(found.digest))) continue
    const image = await readManifest(files, found, descriptor)
    // An image with several names is listed once for each.
    const same = images.get(image.config)
    if (same) same.names.push(...image.names)
    else images.set(image.config, image)
    if (images.size > mostImages) throw refuse('index.json', `has more than ${mostImages} images`)
  }
  return [...images.values()]
}

/** Goes down through indexes to the manifest for this machine. */
async function resolveIndex(
  files: ArchiveFiles,
  descriptor: Descriptor,
  platform: Platform,
  depth: number,
): Promise<Descriptor | undefined> {
  if (!isIndex(descriptor.mediaType)) return isAttestation(descriptor) ? undefined : descriptor
  const path = blobPath(descriptor.digest)
  if (depth === 0) throw refuse(path, 'is an index too deep in other indexes')
  const list = (await readIndex(files, path)).filter((d) => !isAttestation(d))
  const fitting = list.filter((d) => !d.platform || fits(d.platform, platform))
  // An archive need not hold every platform that its index speaks of.
  const present = fitting.find((d) => files.find(blobPath(d.digest)))
  if (present) return await resolveIndex(files, present, platform, depth - 1)
  const has = list.map((d) => `${d.platform?.os}/${d.platform?.architecture}`).join(', ') || 'none'
  throw fail('E_ARCHIVE', {
    problem: `no image for ${platform.os}/${platform.architecture} in index ${descriptor.digest}, which has ${has}`,
  })
}

async function readIndex(files: ArchiveFiles, path: string): Promise<Descriptor[]> {
  const { manifests } = toObject(await files.readJson(path), path)
  if (!Array.isArray(manifests)) throw refuse(path, 'has no list of manifests')
  return manifests.map((item) => toDescriptor(item, path))
}

async function readManifest(
  files: ArchiveFiles,
  descriptor: Descriptor,
  named: Descriptor,
): Promise<ArchivedImage> {
  const path = blobPath(descriptor.digest)
  const manifest = toObject(await files.readJson(path), path)
  const config = toDescriptor(manifest.config, path)
  if (!Array.isArray(manifest.layers)) throw refuse(path, 'has no list of layers')
  const layers = manifest.layers.map((item) => toDescriptor(item, path))
  return {
    config: files.get(blobPath(config.digest)),
    configDigest: config.digest,
    layers: layers.map(({ digest }) => ({ file: files.get(blobPath(digest)), digest })),
    manifest: { file: files.get(path), digest: descriptor.digest },
    names: namesOf(named),
  }
}

/** containerd's annotation has the whole name; OCI's may have no more than a tag, which names nothing. */
function namesOf({ annotations }: Descriptor): Reference[] {
  const full = annotations['io.containerd.image.name']
  const short = annotations['org.opencontainers.image.ref.name']
  if (full) return [parseTagged(full)]
  return short && /[/:]/.test(short) ? [parseTagged(short)] : []
}

function parseTagged(text: string): Reference {
  const reference = parseReference(text)
  if (!reference.tag && !reference.digest) return { ...reference, tag: 'latest' }
  return reference
}

/** The references an archived image is to be found by. */
export function keysOf(image: ArchivedImage): string[] {
  return image.names
    .filter((name) => name.tag !== undefined)
    .map((name) => referenceKey({ ...name, digest: undefined }))
}

function toDescriptor(value: unknown, path: string): Descriptor {
  const { mediaType, digest, annotations, platform } = toObject(value, path)
  if (!isDigest(digest)) throw refuse(path, 'has a descriptor without a sha256 digest')
  const { os, architecture } = isObject(platform) ? platform : {}
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    digest,
    annotations: isObject(annotations)
      ? Object.fromEntries(
          Object.entries(annotations).filter((e): e is [string, string] => typeof e[1] === 'string'),
        )
      : {},
    ...(typeof os === 'string' && typeof architecture === 'string' && { platform: { os, architecture } }),
  }
}

function isIndex(mediaType: string): boolean {
  return /(image\.index\.v1|manifest\.list\.v2)\+json$/.test(mediaType)
}

function isAttestation({ platform, annotations }: Descriptor): boolean {
  const type = annotations['vnd.docker.reference.type']
  return type === 'attestation-manifest' || platform?.architecture === 'unknown'
}

function fits(has: Platform, wanted: Platform): boolean {
  return has.os === wanted.os && has.architecture === wanted.architecture
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`
}

function digestOfPath(path: string): Digest | undefined {
  const digest = path.replace(/^(\.?\/)?blobs\/sha256\//, 'sha256:')
  return isDigest(digest) ? digest : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function toObject(value: unknown, path: string): Record<string, unknown> {
  if (!isObject(value)) throw refuse(path, 'must hold objects')
  return value
}

function refuse(path: string, problem: string) {
  return fail('E_ARCHIVE', { problem: `${path} ${problem}` })
}
