/**
 * What a stack's things are called in the swarm: STACK_NAME, unless they are external or have a name of their
 * own; and the labels by which they are found again, which are those of `docker stack`.
 */
import type { Labels } from '../store/objects/meta.ts'
import type { Mount } from '../store/objects/task-spec.ts'
import type { Reader } from './reader.ts'

export const stackLabel = 'com.docker.stack.namespace'
export const imageLabel = 'com.docker.stack.image'

export interface NamedVolume {
  name: string
  options?: Mount['VolumeOptions']
}

export class Names {
  readonly stack: string
  readonly #file: Reader

  constructor(stack: string, file: Reader) {
    this.stack = stack
    this.#file = file
  }

  scoped(name: string): string {
    return `${this.stack}_${name}`
  }

  labels(own: Labels = {}): Labels {
    return { ...own, [stackLabel]: this.stack }
  }

  /** The swarm's name of a network in the file; undefined when the file has none of that name. */
  network(key: string): { name: string; isExternal: boolean } | undefined {
    const network = this.#file.at('networks').at(key)
    if (!this.#file.at('networks').keys().includes(key)) {
      return key === 'default' ? { name: this.scoped('default'), isExternal: false } : undefined
    }
    return {
      name: nameOf(network) ?? (isExternal(network) ? key : this.scoped(key)),
      isExternal: isExternal(network),
    }
  }

  volume(key: string): NamedVolume | undefined {
    const volumes = this.#file.at('volumes')
    if (!volumes.keys().includes(key)) return undefined
    const volume = volumes.at(key)
    if (isExternal(volume)) return { name: nameOf(volume) ?? key }
    const driver = volume.at('driver').text()
    const options = textsOf(volume.at('driver_opts').pairs())
    const hasDriver = driver !== undefined || Object.keys(options).length > 0
    return {
      name: nameOf(volume) ?? this.scoped(key),
      options: {
        Labels: this.labels(textsOf(volume.at('labels').pairs())),
        ...(hasDriver && { DriverConfig: { Name: driver ?? 'local', Options: options } }),
      },
    }
  }
}

/** Pairs without a value have the empty one. */
export function textsOf(pairs: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries(pairs).map(([key, value]) => [key, value ?? '']))
}

function isExternal(reader: Reader): boolean {
  const external = reader.at('external')
  return external.isMap || external.flag() === true
}

/** `name`, or the old form `external: { name }`. */
function nameOf(reader: Reader): string | undefined {
  const external = reader.at('external')
  return reader.at('name').text() ?? (external.isMap ? external.at('name').text() : undefined)
}
