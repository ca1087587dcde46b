/** What the steps wrote into the record: what they chose, and ids of what they made. */
import type { MachineRecord } from '../../record.ts'

export interface ChosenImage {
  id: string
  name: string
  /** The image's own root device: another name would make a second disk. */
  rootDevice: string
  /** What the image's root disk needs at least. */
  rootGb: number
}

export interface ChosenType {
  name: string
  architecture: string
}

export interface Subnet {
  id: string
  zone: string
}

/** When something was made, ms since 1970: until the cloud shows it for sure, "not found" proves nothing. */
interface Dated {
  id: string
  at: number
}

export interface Made {
  region?: string
  vpc?: string
  subnets?: Subnet[]
  types?: ChosenType[]
  /** By architecture. */
  images?: Record<string, ChosenImage>
  allowFrom?: string[]
  /** Ids of the user's own groups. */
  foreignGroups?: string[]
  keyPair?: Dated
  group?: Dated
  instance?: Dated & { type: string; zone: string; isSpot: boolean }
  address?: Dated & { ip: string }
  /** Steps whose creating call was refused for sure, so that nothing can be there. */
  refused?: string[]
}

/** The record's own object: what is written to it is saved with the record. */
export function madeOf({ made }: Pick<MachineRecord, 'made'>): Made {
  return made as Made
}
