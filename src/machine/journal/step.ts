/**
 * A machine is made in steps, and a journal on disk says how far that came. The rule that keeps it safe: the
 * intent is on disk before a step acts, the result after it. Whatever kills us between the two, the next run
 * finds the intent, asks the step what is really there (`probe`), and goes on or takes it back.
 */

/** What a step does for its caller while it runs. */
export interface StepRun {
  /** Aborted on Ctrl-C; a step that can stop early does, and throws. */
  signal: AbortSignal
  /** A line that stands beside the step's title for a while: "41 of 60 MB". */
  progress: (text: string) => void
}

/**
 * One thing that is made, with the way back. `C` is what the step works on; it changes it through what it is
 * given there, and what must be remembered goes into the record, which is saved together with the journal.
 */
export interface Step<C> {
  /** Stable for ever: journals of older versions name it. */
  id: string
  /** What it makes, as a sentence's start: "Create the bridge tsm-1a2b3c4d". */
  describe: (context: C) => string
  /** True when what the step makes is there and right; it then need not be done. It changes nothing. */
  probe: (context: C, run: StepRun) => Promise<boolean>
  /** Makes it. May find a part of it there already, from a run that was killed. */
  do: (context: C, run: StepRun) => Promise<void>
  /** Takes it back, whatever part of it is there; nothing there is fine. Left out where nothing stays. */
  undo?: (context: C, run: StepRun) => Promise<void>
}

/** `intended`: begun, outcome unknown. `done`: it is there. `undoing`: being taken back, outcome unknown. */
export type StepState = 'intended' | 'done' | 'undoing'

export interface JournalEntry {
  step: string
  state: StepState
  /** When it was written, ISO 8601. */
  at: string
}
