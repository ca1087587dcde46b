/** Image stores and archives for tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ImageEvent, ImageUser } from '../../src/engine/images/context.ts'
import { type Digest, digestOf, hexOf } from '../../src/engine/images/digest.ts'
import type { UnpackLimits } from '../../src/engine/images/layers/limits.ts'
import type { LoadProgress } from '../../src/engine/images/load.ts'
import { ImageStore } from '../../src/engine/images/store.ts'
import { FakeClock } from './fake-clock.ts'
import { file, type Item, makeTar } from './tar.ts'

/** A store in a folder of its own, with what it said and was told. */
export class StoreBench {
  readonly dataRoot = mkdtempSync(join(tmpdir(), 'tsmachine-images-'))
  readonly clock = new FakeClock()
  readonly events: ImageEvent[] = []
  readonly logs: string[] = []
  /** Who uses which image, as the engine would tell. */
  readonly users = new Map<string, ImageUser[]>()
  store!: ImageStore

  static async open(limits: Partial<UnpackLimits> = {}): Promise<StoreBench> {
    const bench = new StoreBench()
    await bench.reopen(limits)
    return bench
  }

  async reopen(limits: Partial<UnpackLimits> = {}): Promise<void> {
    await this.store?.close()
    const say = (_: object, message: string) => this.logs.push(message)
    this.store = await ImageStore.open({
      dataRoot: this.dataRoot,
      log: { info: say, warn: say, error: say },
      clock: this.clock,
      emit: (event) => this.events.push(event),
      inUse: (id) => this.users.get(id) ?? [],
      limits,
    })
  }

  /** Loads an archive; what it said while it did. */
  async load(archive: Buffer | AsyncIterable<Buffer>): Promise<LoadProgress[]> {
    const progress: LoadProgress[] = []
    const source = Buffer.isBuffer(archive) ? inPieces(archive) : archive
    await this.store.load(source, (one) => progress.push(one))
    return progress
  }

  /** The actions since the last call, with what they were done to. */
  takeEvents(): string[] {
    return this.events.splice(0).map(({ Action, Actor }) => `${Action} ${Actor.Attributes.name ?? ''}`)
  }

  layerPath(ref: string, at: number, ...parts: string[]): string {
    return join(this.store.layersFolder, this.store.resolve(ref).layers.at(at)!, ...parts)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store?.close()
    rmSync(this.dataRoot, { recursive: true, force: true })
  }
}

/** In pieces that fall into the middle of everything. */
export async function* inPieces(data: Buffer, size = 10_007): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size)
}

export interface TestImage {
  tags?: string[]
  /** Plain tars, lowest first. */
  layers: Buffer[]
  config?: object
  /** How the layers are packed in the archive; as they are when left out. */
  pack?: (tar: Buffer) => Buffer
  /** Of the configuration file. */
  rest?: object
}

export interface BuiltImage {
  id: Digest
  config: Buffer
  diffIds: Digest[]
  blobs: Buffer[]
  tags: string[]
}

export function buildImage({
  tags = [],
  layers,
  config = {},
  pack = (t) => t,
  rest = {},
}: TestImage): BuiltImage {
  const diffIds = layers.map(digestOf)
  const data = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '2025-05-05T05:05:05.5Z',
      config,
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: diffIds.map((_, i) => ({ created: '2025-05-05T05:05:05Z', created_by: `step ${i}` })),
      ...rest,
    }),
  )
  return { id: digestOf(data), config: data, diffIds, blobs: layers.map(pack), tags }
}

/** An archive as docker save wrote it before version 25: a folder a layer. */
export function oldArchive(images: BuiltImage[], extra: Item[] = []): Buffer {
  const items = images.flatMap((image, i) => [
    ...image.blobs.map((blob, j) => file(`${i}${j}/layer.tar`, blob)),
    file(`${hexOf(image.id)}.json`, image.config),
  ])
  const manifest = images.map((image, i) => ({
    Config: `${hexOf(image.id)}.json`,
    RepoTags: image.tags.length > 0 ? image.tags : null,
    Layers: image.blobs.map((_, j) => `${i}${j}/layer.tar`),
  }))
  return makeTar([...items, ...extra, file('manifest.json', JSON.stringify(manifest))])
}

/** An OCI image layout, with manifest.json or without. */
export function ociArchive(images: BuiltImage[], options: { docker?: boolean; extra?: Item[] } = {}): Buffer {
  const items: Item[] = []
  const put = (data: Buffer) => {
    items.push(file(`blobs/sha256/${hexOf(digestOf(data))}`, data))
    return { digest: digestOf(data), size: data.length }
  }
  const manifests = images.flatMap((image) => {
    const manifest = put(
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...put(image.config) },
          layers: image.blobs.map((blob) => ({
            mediaType: 'application/vnd.oci.image.layer.v1.tar',
            ...put(blob),
          })),
        }),
      ),
    )
    const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', ...manifest }
    if (image.tags.length === 0) return [descriptor]
    return image.tags.map((tag) => ({ ...descriptor, annotations: { 'io.containerd.image.name': tag } }))
  })
  const docker = images.map((image) => ({
    Config: `blobs/sha256/${hexOf(image.id)}`,
    RepoTags: image.tags,
    Layers: image.blobs.map((blob) => `blobs/sha256/${hexOf(digestOf(blob))}`),
  }))
  const byName = new Map(items.map((item) => [item.name, item]))
  return makeTar([
    file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    ...byName.values(),
    ...(options.extra ?? []),
    file('index.json', JSON.stringify({ schemaVersion: 2, manifests })),
    ...(options.docker ? [file('manifest.json', JSON.stringify(docker))] : []),
  ])
}

/** A layer with one file. */
export function layerOf(name: string, data: string): Buffer {
  return makeTar([file(name, data)])
}
