/** What the verbs of this folder work with; ImageStore puts it together. */
import type { ImageConfigFile } from './config.ts'
import type { ContentStore } from './content.ts'
import type { Digest } from './digest.ts'
import type { LayerStore } from './layers/layer-store.ts'
import type { UnpackLimits } from './layers/limits.ts'
import type { Unpacker } from './layers/unpacker.ts'
import type { Leases } from './leases.ts'
import type { ImageIndex } from './records.ts'

/** The part of pino's interface that is used here: fields first, then one sentence. */
export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export type ImageAction = 'load' | 'save' | 'tag' | 'untag' | 'delete' | 'prune'

/** An event as the Docker Engine API has it; whoever gets it adds scope and time. */
export interface ImageEvent {
  Type: 'image'
  Action: ImageAction
  Actor: { ID: string; Attributes: Record<string, string> }
}

/** A container that was made from an image. */
export interface ImageUser {
  id: string
  running: boolean
}

export interface ImageStoreOptions {
  /** `content`, `images` and `layers` are folders in it. */
  dataRoot: string
  log: Log
  /** Milliseconds since 1970. */
  clock: { now(): number }
  emit: (event: ImageEvent) => void
  /** The containers that need the image; nobody when left out. */
  inUse?: (imageId: Digest) => ImageUser[]
  limits?: Partial<UnpackLimits>
}

export interface ImageContext {
  content: ContentStore
  layers: LayerStore
  index: ImageIndex
  leases: Leases
  thread: Unpacker
  /** Of every image in the index, by image id. */
  configs: Map<Digest, ImageConfigFile>
  limits: UnpackLimits
  log: Log
  clock: { now(): number }
  inUse: (imageId: Digest) => ImageUser[]
  emit: (event: ImageEvent) => void
}

/** Tells of something done to an image; its labels go along, as with Docker. */
export function emitEvent(context: ImageContext, action: ImageAction, id: Digest, name: string): void {
  const labels = context.configs.get(id)?.config?.Labels ?? {}
  context.emit({ Type: 'image', Action: action, Actor: { ID: id, Attributes: { ...labels, name } } })
}

/** The time now as RFC 3339. */
export function timestamp(context: ImageContext): string {
  return new Date(context.clock.now()).toISOString()
}
