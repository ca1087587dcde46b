/**
 * Living with a cloud that may have acted though it didn't answer, and that shows what is new only after a while.
 * The rules: what was in doubt is looked for, until the time is over in which it may be hidden, before it is made
 * again; and what is to be deleted is first seen, since a deletion of what is hidden may do nothing.
 */
import type { StepRun } from '../../journal/step.ts'
import type { CallOptions } from './client.ts'
import { judge } from './refusal.ts'
import type { Session } from './session.ts'
import { lookUntil } from './wait.ts'

/**
 * Runs a step's creating call. Where every request of it was refused for sure, that is noted in the record: then
 * taking the step back needs no patience.
 */
export async function creating<T>(
  { made }: Session,
  step: string,
  work: (options: CallOptions) => Promise<T>,
): Promise<T> {
  let isDoubtful = false
  clearRefusal({ made }, step)
  try {
    return await work({
      onDoubt: () => {
        isDoubtful = true
      },
    })
  } catch (error) {
    const { cause } = error as Error
    if (!isDoubtful && cause !== undefined && judge(cause) === 'refused')
      made.refused = [...(made.refused ?? []), step]
    throw error
  }
}

/** Before a step's intent is written again: what an earlier try was told no longer counts. */
export function clearRefusal({ made }: Pick<Session, 'made'>, step: string): void {
  if (made.refused) made.refused = made.refused.filter((one) => one !== step)
}

/**
 * Looks for what a step may have made, for as long as the cloud may hide it.
 * @param born when it was made, where that is known; undefined means that it may have been just now
 */
export async function lookInDoubt<T>(
  session: Session,
  { step, born, what, run }: { step: string; born?: number; what: string; run: StepRun },
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const { clock, settings, made } = session
  const now = clock.now()
  const isRefused = made.refused?.includes(step) === true && born === undefined
  // A birth in the future is another machine's clock: no reason to be less patient.
  const since = born === undefined || born > now ? now : born
  const untilMs = isRefused ? now : since + settings.windowMs
  const tell = (left: number) => run.progress(`looking for ${what}, for ${left} s more at most`)
  return lookUntil({ clock, untilMs, tell }, look)
}
