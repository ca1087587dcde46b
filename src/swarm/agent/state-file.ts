/**
 * What the node was told and how far its tasks have come, on disk: its containers go on without managers, and
 * a new daemon knows them. Changes that come while the file is written go into the next writing.
 */
import { join } from 'node:path'
import { causeChain, messageOf } from '../../shared/errors.ts'
import { readIfThere, sweepTemporaries, writeFileAtomic } from '../../shared/files.ts'
import type { Context } from '../context.ts'
import { fail } from '../errors.ts'
import type { ReportedStatus } from '../wire/messages.ts'
import type { RowChanges } from '../wire/rows.ts'

const formatVersion = 1

export interface AgentState {
  revision: number
  rows: RowChanges['put']
  statuses: ReportedStatus[]
}

/** @throws E_STATE_UNREADABLE */
export async function readAgentState(folder: string): Promise<AgentState | undefined> {
  const path = join(folder, agentFile)
  await sweepTemporaries(folder)
  const text = await readIfThere(path)
  if (text === undefined) return undefined
  try {
    const { version, ...state } = JSON.parse(text) as AgentState & { version: number }
    if (version !== formatVersion)
      throw new Error(`it has version ${version}, this program knows ${formatVersion}`)
    return state
  } catch (error) {
    throw fail('E_STATE_UNREADABLE', { path, why: messageOf(error) }, error)
  }
}

export const agentFile = 'agent.json'

export class AgentStateWriter {
  readonly #path: string
  readonly #context: Context
  readonly #read: () => AgentState
  #isDirty = false
  #writing: Promise<void> | undefined

  constructor(folder: string, context: Context, read: () => AgentState) {
    this.#path = join(folder, agentFile)
    this.#context = context
    this.#read = read
  }

  /** The state has changed. */
  poke(): void {
    this.#isDirty = true
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
      if (this.#isDirty) this.poke()
    })
  }

  /** Resolves when what was changed so far is on disk, or could not be written. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing
  }

  async #write(): Promise<void> {
    // A burst of changes makes one file.
    await new Promise((resolve) => setImmediate(resolve))
    this.#isDirty = false
    try {
      await writeFileAtomic(this.#path, JSON.stringify({ version: formatVersion, ...this.#read() }))
    } catch (error) {
      // The node works on; what a restart will miss the manager and the containers tell it again.
      this.#context.log.error({ causes: causeChain(error) }, "the agent's state could not be written")
    }
  }
}
