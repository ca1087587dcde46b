/**
 * Showing steps as they go: a live list on a terminal, a line a step where output goes to a file or a pipe.
 */
import type { Listr, ListrTaskWrapper } from 'listr2'
import type { Reporter } from '../machine/journal/run.ts'
import { formatMs } from '../shared/deadline.ts'

export interface ProgressOptions {
  terminal: boolean
  /** Said before each line: the machine's name, where several are worked on at once. */
  prefix?: string
  write: (line: string) => void
}

/** Whether a live list can be shown: a terminal without a width would get a letter a line. */
export function isLiveTerminal(): boolean {
  return process.stdout.isTTY === true && process.stdout.columns > 0
}

export type Progress = Reporter & {
  /** Fulfilled when everything told so far is shown. */
  settled: () => Promise<void>
}

export function showProgress(options: ProgressOptions): Progress {
  return options.terminal ? new LiveList() : plainLines(options)
}

/** Shows nothing. */
export const silentProgress: Progress = {
  plan: () => {},
  begin: () => {},
  progress: () => {},
  end: () => {},
  failed: () => {},
  settled: async () => {},
}

/** A step that takes long says how it is going this often. */
const patienceMs = 5_000

function plainLines({ prefix, write }: ProgressOptions): Progress {
  const start = prefix ? `${prefix}: ` : ''
  let last = ''
  let saidAt = 0
  return {
    ...silentProgress,
    begin: () => {
      last = ''
      saidAt = performance.now()
    },
    progress: (title, text) => {
      last = text
      if (performance.now() - saidAt < patienceMs) return
      saidAt = performance.now()
      write(`${start}${title} ... ${text}`)
    },
    end: (title, outcome, ms) => {
      const detail = last && !last.startsWith('[') ? ` (${last})` : ''
      write(`${start}${title}${detail}: ${outcome}, ${formatMs(ms)}`)
    },
    failed: (title, _, ms) => write(`${start}${title}: failed, ${formatMs(ms)}`),
  }
}

type Task = ListrTaskWrapper<unknown, never, never>

/** listr2 runs functions; steps run elsewhere. So each of its tasks waits for the news of its step. */
class LiveList implements Progress {
  #list: Promise<void> = Promise.resolve()
  #steps: { news: PromiseWithResolvers<void>; task: PromiseWithResolvers<Task> }[] = []
  #current = -1

  plan(titles: string[]): void {
    const steps = titles.map(() => ({
      news: Promise.withResolvers<void>(),
      task: Promise.withResolvers<Task>(),
    }))
    this.#steps = steps
    this.#current = -1
    this.#list = this.#list.then(async () => {
      const { Listr } = await import('listr2')
      const tasks = titles.map((title, i) => ({
        title,
        task: (_: unknown, task: unknown) => {
          steps[i]!.task.resolve(task as Task)
          return steps[i]!.news.promise
        },
      }))
      const list: Listr = new Listr(tasks, {
        registerSignalListeners: false,
        rendererOptions: { showErrorMessage: false, collapseErrors: false },
      })
      // The command itself reports the error.
      await list.run().catch(() => undefined)
    })
  }

  begin(title: string): void {
    this.#current++
    this.#tell((task) => {
      task.title = title
    })
  }

  progress(_: string, text: string): void {
    this.#tell((task) => {
      task.output = text
    })
  }

  end(title: string, outcome: string, ms: number): void {
    this.#tell((task) => {
      task.title = `${title} (${outcome === 'changed' ? '' : `${outcome}, `}${formatMs(ms)})`
    })
    this.#steps[this.#current]?.news.resolve()
  }

  failed(_: string, error: Error): void {
    this.#steps[this.#current]?.news.reject(error)
  }

  settled(): Promise<void> {
    return this.#list
  }

  #tell(say: (task: Task) => void): void {
    void this.#steps[this.#current]?.task.promise.then(say)
  }
}
