/**
 * `tsmachine create --count`: several machines of one kind, side by side.
 */
import type { App } from './context.ts'
import { type CreateRequest, createMachine } from './create.ts'
import { fail } from './errors.ts'
import type { Reporter } from './journal/run.ts'
import { makeUpName } from './names.ts'

export interface CreateManyRequest extends CreateRequest {
  count: number
  /** How many must be made for the whole to be a success. */
  quorum: number
}

/** What is told while machines are made. */
export interface ManyTold {
  progress: (name: string) => Reporter & { settled: () => Promise<void> }
  made: (name: string) => void
  failed: (name: string, error: Error) => void
}

/**
 * Makes NAME-1 to NAME-count; those that are complete already are left alone, so that the same call goes on where
 * one stopped. One that fails is taken back alone, and the others go on.
 * @throws the only failure, or E_QUORUM where fewer than `quorum` are there in the end
 */
export async function createMachines(app: App, request: CreateManyRequest, told: ManyTold): Promise<void> {
  const { count, quorum, name, ...one } = request
  const stem = name ?? (await makeUpName(app.store))
  const names = Array.from({ length: count }, (_, i) => `${stem}-${i + 1}`)
  const failures: Error[] = []
  await Promise.all(
    names.map(async (each) => {
      const reporter = told.progress(each)
      try {
        if ((await app.store.find(each))?.phase === 'ready') return
        await createMachine({ ...app, reporter }, { ...one, name: each })
        await reporter.settled()
        told.made(each)
      } catch (error) {
        failures.push(error as Error)
        told.failed(each, error as Error)
      }
    }),
  )
  const made = count - failures.length
  if (made >= quorum) return
  throw failures.length === 1 && count === 1 ? failures[0]! : fail('E_QUORUM', { made, count, quorum })
}
