/**
 * The images of one engine: what the API's image routes and the containers work with. It holds blobs, layers
 * unpacked for overlayfs, and names, in three folders of the data root.
 *
 * Promises: a crash at any moment leaves every image whole or absent; a layer is unpacked once; nothing that
 * an archive says reaches a file outside the data root; what a container needs is not taken away. It knows no
 * container: the engine tells who uses what (`inUse`), and calls `collect` when that changes.
 */
import { configOf, findImage, layersOf } from './catalog.ts'
import { collectGarbage } from './collect.ts'
import type { ImageConfig, ImageConfigFile } from './config.ts'
import type { ImageContext, ImageStoreOptions } from './context.ts'
import type { Digest } from './digest.ts'
import type { Filters } from './filters.ts'
import { type HistoryItem, type ImageInspect, imageHistory, inspectImage } from './inspect.ts'
import { type ImageSummary, type ListOptions, listImages } from './list.ts'
import { type LoadedImage, type LoadProgress, loadImages } from './load.ts'
import { openContext } from './open.ts'
import { type Pruned, pruneImages } from './prune.ts'
import { emptyLayerName } from './records.ts'
import { type DeletedItem, type RemoveOptions, removeImage } from './remove.ts'
import { saveImages } from './save.ts'
import { tagImage } from './tag.ts'
import { resolveUser, type UserIdentity } from './users.ts'

/** What a container is made from. */
export interface ResolvedImage {
  id: Digest
  config: ImageConfig
  /** Lowest first, as names in `layersFolder`; never none. */
  layers: string[]
  platform: { os: string; architecture: string }
}

export class ImageStore {
  #context: ImageContext

  private constructor(context: ImageContext) {
    this.#context = context
  }

  /** Sweeps what a crash left. @throws E_STORE_BROKEN, E_STORE_IO */
  static async open(options: ImageStoreOptions): Promise<ImageStore> {
    return new ImageStore(await openContext(options))
  }

  /** Ends the unpacking thread; work under way fails and leaves nothing. */
  async close(): Promise<void> {
    await this.#context.thread.stop()
  }

  /** Folder that the layers' names are relative to. */
  get layersFolder(): string {
    return this.#context.layers.folder
  }

  /** Loads all images of an archive, or none. See `loadImages`. */
  async load(
    source: AsyncIterable<Buffer>,
    onProgress?: (progress: LoadProgress) => void,
  ): Promise<LoadedImage[]> {
    return await loadImages(this.#context, source, onProgress)
  }

  /** An archive of these images, to be read once. @throws E_NO_SUCH_IMAGE before the first byte */
  save(refs: string[]): AsyncGenerator<Buffer> {
    return saveImages(this.#context, refs)
  }

  /** @throws E_IMAGE_FILTER */
  list(options?: ListOptions): ImageSummary[] {
    return listImages(this.#context, options)
  }

  /** @throws E_NO_SUCH_IMAGE, E_AMBIGUOUS_IMAGE, E_REFERENCE */
  inspect(ref: string): ImageInspect {
    return inspectImage(this.#context, ref)
  }

  /** @throws E_NO_SUCH_IMAGE, E_AMBIGUOUS_IMAGE, E_REFERENCE */
  history(ref: string): HistoryItem[] {
    return imageHistory(this.#context, ref)
  }

  /** @throws E_NO_SUCH_IMAGE, E_REFERENCE */
  async tag(ref: string, repo: string, tag?: string): Promise<void> {
    await tagImage(this.#context, ref, repo, tag)
  }

  /** @throws E_NO_SUCH_IMAGE, E_IMAGE_CONFLICT */
  async remove(ref: string, options?: RemoveOptions): Promise<DeletedItem[]> {
    return await removeImage(this.#context, ref, options)
  }

  /** @throws E_IMAGE_FILTER */
  async prune(filters?: Filters): Promise<Pruned> {
    return await pruneImages(this.#context, filters)
  }

  /**
   * A name, name:tag, name@digest, id or the beginning of an id.
   * @throws E_NO_SUCH_IMAGE (404, Docker's "No such image: NAME:TAG"), E_AMBIGUOUS_IMAGE, E_REFERENCE
   */
  resolve(ref: string): ResolvedImage {
    const { id } = findImage(this.#context, ref).record
    const { config, layers } = this.rootOf(id)
    const { os, architecture } = config
    return { id, config: config.config ?? {}, layers, platform: { os, architecture } }
  }

  /** The whole configuration, and the layers lowest first as names in `layersFolder`. @throws E_NO_SUCH_IMAGE */
  rootOf(id: Digest): { config: ImageConfigFile; layers: string[] } {
    const layers = layersOf(this.#context, id).map((layer) => layer.name)
    return {
      config: configOf(this.#context, id),
      layers: layers.length > 0 ? layers : [emptyLayerName],
    }
  }

  /**
   * Keeps an image's layers until `release`, for as long as a container of it is being made and `inUse` does
   * not tell of it yet.
   */
  hold(id: Digest): { release: () => void } {
    return this.#context.leases.hold([id])
  }

  /** Takes away what nobody needs any more: to be called when a container has gone, and after the start. */
  async collect(): Promise<void> {
    await collectGarbage(this.#context)
  }

  /**
   * Copies what an image has at a path into an empty folder, such as a new volume's; nothing where the path
   * is no folder in the image.
   * @param layers as `resolve` gives them, lowest first
   * @throws E_STORE_FULL, E_STORE_IO
   */
  async copyOut(layers: string[], path: string, folder: string): Promise<void> {
    const folders = layers.toReversed().map((name) => this.#context.layers.pathOf(name))
    await this.#context.thread.copy(folders, path, folder)
  }

  /**
   * Docker's "user[:group]" by the root's own passwd and group.
   * @param folders of the root's layers, highest first, absolute; those that are missing are passed over
   * @throws E_PASSWD, E_ID_RANGE, E_ROOT_FILE
   */
  async identity(user: string, extraGroups: string[], folders: string[]): Promise<UserIdentity> {
    return resolveUser(user, extraGroups, folders)
  }
}
