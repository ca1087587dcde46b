/**
 * An image's configuration (image-spec config.md, with Docker's additions). Its digest is the image's id, so
 * it is kept byte by byte as it came; here it is only read. It comes from strangers: what the engine relies
 * on is checked once, when the image comes in.
 */
import { messageOf } from '../../shared/errors.ts'
import { type Digest, isDigest } from './digest.ts'
import { fail } from './errors.ts'

/** Durations are nanoseconds. */
export interface HealthConfig {
  Test?: string[]
  Interval?: number
  Timeout?: number
  Retries?: number
  StartPeriod?: number
  StartInterval?: number
}

/** What a container inherits of its image. */
export interface ImageConfig {
  User?: string
  ExposedPorts?: Record<string, object> | null
  Env?: string[] | null
  Entrypoint?: string[] | null
  Cmd?: string[] | null
  Volumes?: Record<string, object> | null
  WorkingDir?: string
  Labels?: Record<string, string> | null
  StopSignal?: string
  Healthcheck?: HealthConfig | null
  Shell?: string[] | null
  OnBuild?: string[] | null
}

export interface HistoryEntry {
  created?: string
  created_by?: string
  author?: string
  comment?: string
  /** True where the step changed no file, so that it has no layer. */
  empty_layer?: boolean
}

export interface ImageConfigFile {
  architecture: string
  os: string
  variant?: string
  'os.version'?: string
  /** RFC 3339. */
  created?: string
  author?: string
  comment?: string
  docker_version?: string
  config?: ImageConfig | null
  rootfs: { type: 'layers'; diff_ids: Digest[] }
  history?: HistoryEntry[] | null
}

/** overlayfs takes its layers as one page of mount options: this many of our names fit with room to spare. */
export const mostLayers = 250

type Check = (value: unknown) => boolean
const isText: Check = (value) => typeof value === 'string'
const isNumber: Check = (value) => Number.isSafeInteger(value)
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText)
const isSet: Check = (value) => isObject(value) && Object.values(value).every(isObject)
const isTextMap: Check = (value) => isObject(value) && Object.values(value).every(isText)
const isHistory: Check = (value) =>
  Array.isArray(value) && value.every((entry) => matches(entry, historyShape))

type Shape = Record<string, { check: Check; form: string }>
const text = { check: isText, form: 'a string' }
const texts = { check: isTexts, form: 'a list of strings' }
const count = { check: isNumber, form: 'a whole number' }
const set = { check: isSet, form: 'an object of empty objects' }

const historyShape: Shape = {
  created: text,
  created_by: text,
  author: text,
  comment: text,
  empty_layer: { check: (value) => typeof value === 'boolean', form: 'true or false' },
}
const fileShape: Shape = {
  architecture: text,
  os: text,
  variant: text,
  'os.version': text,
  created: { check: (value) => isText(value) && isDate(value as string), form: 'a time' },
  author: text,
  comment: text,
  docker_version: text,
  config: { check: isObject, form: 'an object' },
  rootfs: { check: isObject, form: 'an object' },
  history: { check: isHistory, form: 'a list of steps' },
}
const configShape: Shape = {
  User: text,
  ExposedPorts: set,
  Env: texts,
  Entrypoint: texts,
  Cmd: texts,
  Volumes: set,
  WorkingDir: text,
  Labels: { check: isTextMap, form: 'an object of strings' },
  StopSignal: text,
  Healthcheck: { check: isObject, form: 'an object' },
  Shell: texts,
  OnBuild: texts,
}
const healthShape: Shape = {
  Test: texts,
  Interval: count,
  Timeout: count,
  Retries: count,
  StartPeriod: count,
  StartInterval: count,
}

function isDate(value: string): boolean {
  return !Number.isNaN(Date.parse(value))
}

function matches(value: unknown, shape: Shape): boolean {
  return isObject(value) && problemOf(value, shape, '') === undefined
}

/** Null stands for what is left out, as Go writes it. */
function problemOf(value: Record<string, unknown>, shape: Shape, path: string): string | undefined {
  for (const [key, { check, form }] of Object.entries(shape)) {
    const field = value[key]
    if (field !== undefined && field !== null && !check(field)) return `${path}${key} must be ${form}`
  }
  return undefined
}

/**
 * @param image how to call it in a message: its digest
 * @throws E_IMAGE_CONFIG
 */
export function parseImageConfig(data: Buffer, image: string): ImageConfigFile {
  const refuse = (problem: string, cause?: unknown) => fail('E_IMAGE_CONFIG', { image, problem }, cause)
  let value: unknown
  try {
    value = JSON.parse(data.toString())
  } catch (error) {
    throw refuse(`it is no JSON: ${messageOf(error).slice(0, 120)}`, error)
  }
  if (!isObject(value)) throw refuse('it must be an object')
  const config = isObject(value.config) ? value.config : {}
  const health = isObject(config.Healthcheck) ? config.Healthcheck : {}
  const problem =
    problemOf(value, fileShape, '') ??
    problemOf(config, configShape, 'config.') ??
    problemOf(health, healthShape, 'config.Healthcheck.') ??
    rootfsProblem(value.rootfs) ??
    platformProblem(value)
  if (problem) throw refuse(problem)
  return value as unknown as ImageConfigFile
}

function rootfsProblem(rootfs: unknown): string | undefined {
  if (!isObject(rootfs) || rootfs.type !== 'layers') return 'rootfs.type must be "layers"'
  const ids = rootfs.diff_ids ?? []
  if (!Array.isArray(ids) || !ids.every(isDigest)) return 'rootfs.diff_ids must be a list of sha256 digests'
  if (ids.length > mostLayers) return `it has ${ids.length} layers; at most ${mostLayers} can be mounted`
  rootfs.diff_ids = ids
  return undefined
}

function platformProblem(value: Record<string, unknown>): string | undefined {
  if (value.os === undefined || value.os === '' || value.os === 'linux') return undefined
  return `image operating system ${JSON.stringify(value.os)} cannot be used on this platform`
}
