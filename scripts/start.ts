/**
 * `npm start`: from nothing to a service on three hosts. It runs the commands that a user would type, shows how
 * far they are, and leaves the machines up; a second run finds them.
 */
import { join } from 'node:path'
import { Listr } from 'listr2'
import { isLiveTerminal } from '../src/cli/progress.ts'
import { formatMs } from '../src/shared/deadline.ts'
import { ensureHelloImage } from './hello-image.ts'
import { askPort, type Heard, run } from './start-tools.ts'

const template = join(import.meta.dirname, '../templates/hello')
const stack = 'hello'
const publishedPort = 8080
const requests = 4

const machines = [
  { name: 'm1', swarm: ['--swarm', 'manager'] },
  { name: 'w1', swarm: ['--swarm', 'worker', '--swarm-join', 'm1'] },
  { name: 'w2', swarm: ['--swarm', 'worker', '--swarm-join', 'm1'] },
]

interface Row {
  name: string
  state: string
  url: string
}

const isTerminal = isLiveTerminal()
const startedAt = performance.now()
const heard: Heard[] = []

const list = new Listr(
  [
    {
      title: 'Machines',
      task: async (_, task) => {
        const rows = await listed()
        // Workers are made beside the manager, and join once it is ready; it has to be known by then.
        const isBegun = Promise.withResolvers<void>()
        return task.newListr(
          machines.map(({ name, swarm }) => ({
            title: name,
            task: async (_, one) => {
              const { words, done } = wayTo(name, swarm, rows.get(name)?.state)
              if (name !== 'm1') await isBegun.promise
              try {
                if (words) {
                  await run('tsmachine', words, (line) => {
                    isBegun.resolve()
                    one.output = isTerminal ? line : `${name}: ${line}`
                  })
                }
              } finally {
                isBegun.resolve()
              }
              one.title = `${name} ${done}`
            },
          })),
          { concurrent: true, exitOnError: true },
        )
      },
    },
    {
      title: "The example's image, built here, on each host",
      task: (_, task) =>
        task.newListr(
          machines.map(({ name }) => ({
            title: name,
            task: async (_, one) => {
              const isNew = await ensureHelloImage(name, template)
              one.title = `${name} ${isNew ? 'loaded it' : 'has it'}`
            },
          })),
          { concurrent: true },
        ),
    },
    {
      title: `Deploy ${stack}, and wait until it runs`,
      task: async (_, task) => {
        const file = join(template, 'compose.yaml')
        await run('tsswarm', ['deploy', '-c', file, stack], (line) => {
          task.output = line
        })
      },
    },
    {
      title: `Ask port ${publishedPort} of each host`,
      task: async () => {
        const rows = await listed()
        for (const { name } of machines) {
          const host = new URL(rows.get(name)!.url).hostname
          heard.push(...(await askPort(name, host, publishedPort, requests)))
        }
      },
    },
  ],
  { renderer: isTerminal ? 'default' : 'simple', rendererOptions: { collapseSubtasks: false } },
)

try {
  await list.run()
  await report()
} catch (error) {
  console.error(`\nnpm start: ${(error as Error).message}`)
  console.error('  What was made stays: run it again to go on, or take all away with: npm run clean')
  process.exitCode = 1
}

async function listed(): Promise<Map<string, Row>> {
  const rows = JSON.parse(await run('tsmachine', ['ls', '--json'])) as Row[]
  return new Map(rows.map((row) => [row.name, row]))
}

/** The command that brings a machine up from the state it is in, and what to say when it is. */
function wayTo(name: string, swarm: string[], state: string | undefined): { words?: string[]; done: string } {
  if (state === 'Running') return { done: 'runs already' }
  if (state === 'Stopped') return { words: ['start', name], done: 'is started' }
  return { words: ['create', '--driver', 'local', ...swarm, name], done: 'is made' }
}

async function report(): Promise<void> {
  for (const { asked, node, task, count } of heard) {
    console.log(`${asked}:${publishedPort}  answered by ${task} on ${node}, request ${count} of the stack`)
  }
  for (const words of [
    ['node', 'ls'],
    ['service', 'ls'],
    ['stack', 'ps', stack],
  ]) {
    console.log(`\n$ tsswarm ${words.join(' ')}\n${(await run('tsswarm', words)).trimEnd()}`)
  }
  const host = heard[0]!.host
  console.log(`
Up in ${formatMs(performance.now() - startedAt)}. Worth trying next:
  curl http://${host}:${publishedPort}/
  bin/tsswarm.js service scale ${stack}_web=6
  bin/tsmachine.js ssh w1 ps
  docker --context w1 ps
  bin/tsmachine.js kill w2; sleep 6; bin/tsswarm.js node ls; bin/tsswarm.js stack ps ${stack}
Take everything away with: npm run clean`)
}
