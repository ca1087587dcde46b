/** A real daemon on a socket of its own, the real docker command against it, and everything gone afterwards. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Agent, request } from 'undici'
import { type LayerFile, makeImageArchive } from '../../src/engine/images/archive.ts'
import { enginePaths } from '../../src/engine/paths.ts'
import { waitFor } from '../../src/shared/deadline.ts'
import { applets } from './bundle.ts'
import { which } from './needs.ts'

const root = join(import.meta.dirname, '../..')

export interface CommandResult {
  code: number
  stdout: string
  stderr: string
}

export class TestDaemon {
  /** Made by the first start, so that a suite that is skipped leaves none. */
  readonly folder = join(tmpdir(), `tsmachine-engine-${randomBytes(4).toString('hex')}`)
  readonly socket = join(this.folder, 'docker.sock')
  readonly dataRoot = join(this.folder, 'data')
  readonly execRoot = join(this.folder, 'exec')
  private knownId?: string
  private readonly extraFlags: string[]
  private readonly agent = new Agent({ connect: { socketPath: this.socket } })
  private process?: ChildProcess

  constructor(extraFlags: string[] = []) {
    this.extraFlags = extraFlags
  }

  get logPath(): string {
    return join(this.folder, 'log')
  }

  /** Eight hex digits that tell this engine's kernel objects from others'. */
  get engineId(): string {
    this.knownId ??= enginePaths(this.dataRoot, this.execRoot).engineId
    return this.knownId
  }

  get pid(): number {
    return this.process!.pid!
  }

  /** Starts the daemon and waits until it answers. */
  async start(): Promise<this> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
    // Known from now on, also when the folders are gone.
    void this.engineId
    const log = createWriteStream(this.logPath, { flags: 'a' })
    await new Promise((resolve) => log.once('open', resolve))
    const flags = [
      ...['--host', `unix://${this.socket}`, '--data-root', this.dataRoot, '--exec-root', this.execRoot],
      ...['--pidfile', join(this.folder, 'pid'), '--log-level', 'debug', ...this.extraFlags],
    ]
    const child = spawn(process.execPath, [join(root, 'src/daemon/bundle.ts'), 'daemon', ...flags], {
      stdio: ['ignore', log, log],
    })
    this.process = child
    await waitFor(
      'the daemon to answer',
      async () => {
        if (child.exitCode !== null)
          throw new Error(`the daemon ended: ${readFileSync(this.logPath, 'utf8')}`)
        if (!existsSync(this.socket)) return undefined
        const { code } = await this.api('GET', '/_ping').catch(() => ({ code: 0 }))
        return code === 200 || undefined
      },
      { timeoutMs: 15_000, everyMs: 20 },
    )
    log.close()
    return this
  }

  /** Ends it by a signal, and waits for its end; containers go on. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }

  /** Loads an image of busybox; `name` is what to run. */
  async loadBusybox(name = 'busybox:latest', extra: LayerFile[] = []): Promise<void> {
    const files: LayerFile[] = [
      { type: 'file', path: 'bin/busybox', source: which('busybox')!, mode: 0o755 },
      ...applets.map((applet) => ({ type: 'symlink' as const, path: `bin/${applet}`, target: 'busybox' })),
      ...['tmp', 'root', 'home/web'].map((path) => ({ type: 'folder' as const, path })),
      {
        type: 'file',
        path: 'etc/passwd',
        content: 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n',
      },
      { type: 'file', path: 'etc/group', content: 'root:x:0:\nweb:x:1000:\nwheel:x:10:web\n' },
      ...extra,
    ]
    const archive = makeImageArchive({
      layers: [files],
      config: { Cmd: ['sh'], Env: ['PATH=/usr/bin:/bin'] },
      tags: [name],
    })
    const answer = await this.api('POST', '/images/load', Readable.from(archive, { objectMode: false }))
    if (answer.code !== 200 || answer.text.includes('errorDetail')) throw new Error(answer.text)
  }

  /** The real docker command. Never rejects. */
  docker(
    args: string[],
    options: { input?: string; timeoutMs?: number; host?: string } = {},
  ): Promise<CommandResult> {
    return new Promise((resolve) => {
      const child = execFile(
        which('docker')!,
        ['-H', options.host ?? `unix://${this.socket}`, ...args],
        {
          timeout: options.timeoutMs ?? 30_000,
          killSignal: 'SIGKILL',
          maxBuffer: 1 << 28,
          env: { ...process.env, DOCKER_CONFIG: this.folder },
        },
        (error, stdout, stderr) => {
          const code = error ? (typeof error.code === 'number' ? error.code : 255) : 0
          resolve({ code, stdout, stderr })
        },
      )
      // A command that reads no input may end before it is written.
      child.stdin!.on('error', () => undefined)
      child.stdin!.end(options.input ?? '')
    })
  }

  /** The same, for a command that must succeed; its output without the last newline. */
  async dockerOk(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.docker(args)
    if (code !== 0) throw new Error(`docker ${args.join(' ')}: exit ${code}: ${stderr}`)
    return stdout.replace(/\n$/, '')
  }

  /** A call of the API; JSON both ways unless the body is a stream or text. */
  async api(method: string, path: string, body?: unknown) {
    const isRaw = body instanceof Readable || typeof body === 'string'
    const {
      statusCode,
      headers,
      body: answer,
    } = await request(`http://localhost${path}`, {
      dispatcher: this.agent,
      method: method as 'GET',
      body: isRaw ? (body as Readable) : body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined || body instanceof Readable ? {} : { 'content-type': 'application/json' },
    })
    const text = await answer.text()
    const json = () => JSON.parse(text) as Record<string, unknown>
    return { code: statusCode, headers, text, json }
  }

  /** What this engine has in the kernel: keepers, cgroups, links, nft tables. Empty once all is removed. */
  async leftovers(): Promise<string[]> {
    return leftoversOf(this.engineId, this.folder)
  }

  /** Removes all containers and ends the daemon. Does nothing the second time. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.process?.exitCode === null && this.process.signalCode === null) {
        const list = await this.api('GET', '/containers/json?all=1')
        for (const { Id } of JSON.parse(list.text) as { Id: string }[])
          await this.api('DELETE', `/containers/${Id}?force=1&v=1`)
      }
    } finally {
      await this.stop()
      if (!this.agent.closed) await this.agent.close()
    }
  }

  /** After disposing: the files, and what the engine leaves in the kernel for its next start. */
  async erase(): Promise<void> {
    await eraseEngine(this.engineId)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Runs `tshost daemon` where it is to refuse its flags: until its end. */
export function daemonCommand(flags: string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    const args = [join(root, 'src/daemon/bundle.ts'), 'daemon', ...flags]
    execFile(process.execPath, args, { timeout: 20_000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 255) : 0, stdout, stderr })
    })
  })
}

function run(command: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 1 << 26 }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    )
  })
}

/** Everything whose name holds the engine's id, and mounts below its folder. */
export async function leftoversOf(engineId: string, folder: string): Promise<string[]> {
  const [links, tables, processes] = await Promise.all([
    run('ip', ['-o', 'link']),
    run('nft', ['list', 'tables']),
    run('ps', ['-eo', 'pid,args']),
  ])
  const lines = (text: string, word: string) =>
    text.split('\n').filter((line) => line.includes(word) && !line.includes(' ps -eo'))
  const mounts = lines(readFileSync('/proc/self/mountinfo', 'utf8'), folder)
  const cgroups = (
    await run('find', [
      '/sys/fs/cgroup',
      '-mindepth',
      '2',
      '-type',
      'd',
      '-name',
      '[0-9a-f]*',
      '-path',
      `*tshost-${engineId}/*`,
    ])
  )
    .split('\n')
    .filter(Boolean)
  return [
    ...lines(links, engineId),
    ...lines(tables, engineId),
    ...lines(processes, `tshost-keeper ${engineId}`),
    ...mounts,
    ...cgroups,
  ]
}

/** Takes away what an engine keeps between two runs: its bridges, its table, its cgroup. */
export async function eraseEngine(engineId: string): Promise<void> {
  for (const line of (await run('ip', ['-o', 'link'])).split('\n')) {
    const name = /^\d+: ([^:@]+)/.exec(line)?.[1]
    if (name?.includes(engineId)) await run('ip', ['link', 'delete', name])
  }
  for (const line of (await run('nft', ['list', 'tables'])).split('\n')) {
    if (line.includes(engineId)) await run('nft', ['delete', ...line.split(' ')])
  }
  const folders = (await run('find', ['/sys/fs/cgroup', '-type', 'd', '-path', `*tshost-${engineId}*`]))
    .split('\n')
    .filter(Boolean)
  for (const folder of folders.reverse()) await run('rmdir', [folder])
}
