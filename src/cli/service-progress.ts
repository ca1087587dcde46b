/**
 * Shows services on their way to running: a live list on a terminal, a line per service elsewhere.
 */
import type { EngineApi } from '../swarm/client/api.ts'
import { type Convergence, converge } from '../swarm/client/converge.ts'

export interface ShowOptions {
  timeoutMs: number
  isRollback: boolean
  isTerminal: boolean
  write: (line: string) => void
  /** How long nothing is said of what keeps a service, where a line is for good. */
  explainAfterMs?: number
}

/** @throws the first service's failure, when all have come to an end */
export async function showConvergence(
  api: EngineApi,
  services: { id: string; name: string }[],
  options: ShowOptions,
): Promise<void> {
  if (options.isTerminal) await showList(api, services, options)
  else await showLines(api, services, options)
}

async function showList(
  api: EngineApi,
  services: { id: string; name: string }[],
  { timeoutMs, isRollback }: ShowOptions,
) {
  const { Listr } = await import('listr2')
  const errors: unknown[] = []
  const list = new Listr(
    services.map(({ id, name }) => ({
      title: name,
      task: async (_: unknown, task: { title?: string; output?: string }) => {
        try {
          await converge(api, id, {
            timeoutMs,
            isRollback,
            onProgress: (state) => {
              task.title = `${name} ${describe(state)}`
              task.output = state.why
            },
          })
        } catch (error) {
          errors.push(error)
          throw error
        }
      },
    })),
    { concurrent: true, exitOnError: false },
  )
  await list.run()
  if (errors.length > 0) throw errors[0]
}

async function showLines(api: EngineApi, services: { id: string; name: string }[], options: ShowOptions) {
  const results = await Promise.allSettled(
    services.map(async ({ id, name }) => {
      let last = ''
      let lastWhy = ''
      const start = performance.now()
      await converge(api, id, {
        timeoutMs: options.timeoutMs,
        isRollback: options.isRollback,
        onProgress: (state) => {
          last = describe(state)
          const isDue = performance.now() - start >= (options.explainAfterMs ?? 5000)
          if (state.why === '' || state.why === lastWhy || !isDue) return
          lastWhy = state.why
          options.write(`${name}: ${last}: ${state.why}`)
        },
      })
      options.write(`${name}: ${last}`)
    }),
  )
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function describe({ running, wanted }: Convergence): string {
  return `${running}/${wanted} running`
}
