/**
 * What all stored objects share. Objects are spelled as the Docker Engine API spells them, so that the API
 * shows them nearly as they are; what only the manager needs is kept beside and left out at the edge.
 */

/** Index is the store's revision that last changed the object: it is never written, the reader adds it. */
export interface Version {
  Index: number
}

export interface Meta {
  ID: string
  Version: Version
  /** RFC 3339. */
  CreatedAt: string
  UpdatedAt: string
}

export type Labels = Record<string, string>

export interface Platform {
  Architecture?: string
  OS?: string
}

export type GenericResource =
  | { NamedResourceSpec: { Kind: string; Value: string } }
  | { DiscreteResourceSpec: { Kind: string; Value: number } }

export interface Resources {
  /** Billionths of a CPU. */
  NanoCPUs?: number
  MemoryBytes?: number
  GenericResources?: GenericResource[]
}

export interface Driver {
  Name: string
  Options?: Record<string, string>
}
