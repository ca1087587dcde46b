/** Health checks: a probe in the container every so often, and what its results come to (Docker's rules). */
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../shared/errors.ts'
import type { Container } from './container.ts'
import type { ContainerContext } from './context.ts'
import { nowText } from './create.ts'
import type { ExecSessions } from './exec.ts'
import type { HealthConfig } from './types.ts'

const ms = (ns: number | undefined, fallback: number) => (ns ? ns / 1e6 : fallback)
const keptResults = 5
const largestOutput = 4096

export interface HealthSettings {
  command: string[]
  intervalMs: number
  timeoutMs: number
  retries: number
  startPeriodMs: number
  startIntervalMs: number
}

/** Undefined where there is no check, or it is switched off. */
export function healthSettings(
  config: HealthConfig | undefined,
  shell: readonly string[] = ['/bin/sh', '-c'],
): HealthSettings | undefined {
  const [kind, ...rest] = config?.Test ?? []
  if (!config || !kind || kind === 'NONE' || rest.length === 0) return undefined
  return {
    command: kind === 'CMD-SHELL' ? [...shell, rest.join(' ')] : rest,
    intervalMs: ms(config.Interval, 30_000),
    timeoutMs: ms(config.Timeout, 30_000),
    retries: config.Retries || 3,
    startPeriodMs: ms(config.StartPeriod, 0),
    startIntervalMs: ms(config.StartInterval, 5_000),
  }
}

/** Probes until the container's run ends. Never rejects. */
export async function watchHealth(
  context: ContainerContext,
  execs: ExecSessions,
  container: Container,
): Promise<void> {
  const { record } = container
  const settings = healthSettings(record.config.Healthcheck, record.config.Shell)
  if (!settings) return
  const ended = new AbortController()
  const stop = () => ended.abort()
  container.signals.once('exit', stop)
  container.signals.once('removed', stop)
  record.state.health = { Status: 'starting', FailingStreak: 0, Log: [] }
  const startedMs = Date.now()
  try {
    while (!ended.signal.aborted) {
      const isStarting =
        record.state.health?.Status === 'starting' && Date.now() - startedMs < settings.startPeriodMs
      await sleep(isStarting ? settings.startIntervalMs : settings.intervalMs, undefined, {
        signal: ended.signal,
      })
      if (record.state.status === 'paused') continue
      const result = await probe(context, execs, container, settings, ended.signal)
      if (!ended.signal.aborted) note(context, container, settings, result, startedMs)
    }
  } catch (error) {
    if (!ended.signal.aborted)
      context.log.warn({ container: container.id }, `health check: ${messageOf(error)}`)
  } finally {
    container.signals.off('exit', stop)
    container.signals.off('removed', stop)
  }
}

interface Result {
  start: string
  exitCode: number
  output: string
}

async function probe(
  context: ContainerContext,
  execs: ExecSessions,
  container: Container,
  settings: HealthSettings,
  signal: AbortSignal,
): Promise<Result> {
  const start = nowText()
  const session = execs.create(container, { Cmd: settings.command, AttachStdout: true, AttachStderr: true })
  try {
    const running = await execs.start(context, session)
    const chunks: Buffer[] = []
    let size = 0
    const streams = [running.output!.stdout, running.output!.stderr!].map(
      (fd) => new Socket({ fd, readable: true, writable: false }),
    )
    for (const stream of streams) {
      stream.on('data', (chunk: Buffer) => {
        if (size < largestOutput) chunks.push(chunk)
        size += chunk.length
      })
      stream.on('error', () => stream.destroy())
    }
    const late = await Promise.race([
      session.ended.then(() => false),
      sleep(settings.timeoutMs, true, { signal }).catch(() => true),
    ])
    if (late) {
      running.signal(9)
      await session.ended
    }
    for (const stream of streams) stream.destroy()
    const output = Buffer.concat(chunks).toString().slice(0, largestOutput)
    return late
      ? { start, exitCode: -1, output: `Health check exceeded timeout (${settings.timeoutMs}ms): ${output}` }
      : { start, exitCode: session.exitCode ?? -1, output }
  } catch (error) {
    return { start, exitCode: -1, output: messageOf(error) }
  }
}

function note(
  context: ContainerContext,
  container: Container,
  settings: HealthSettings,
  result: Result,
  startedMs: number,
): void {
  const { state } = container.record
  const health = state.health!
  const before = health.Status
  health.Log = [
    ...health.Log,
    { Start: result.start, End: nowText(), ExitCode: result.exitCode, Output: result.output },
  ].slice(-keptResults)
  if (result.exitCode === 0) {
    health.FailingStreak = 0
    health.Status = 'healthy'
  } else if (before !== 'starting' || Date.now() - startedMs >= settings.startPeriodMs) {
    // Failures within the start period don't count until there was a success.
    health.FailingStreak++
    if (health.FailingStreak >= settings.retries) health.Status = 'unhealthy'
  }
  context.table.note(container)
  if (health.Status !== before) context.events.container(`health_status: ${health.Status}`, container.id, {})
}
