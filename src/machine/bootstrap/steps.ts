/**
 * From a host with an SSH server to an engine that answers over mutual TLS: the same for every driver.
 * Doing it again changes only what is not right.
 */
import { createHash } from 'node:crypto'
import { waitFor } from '../../shared/deadline.ts'
import { isFailure } from '../../shared/errors.ts'
import { engineUrl, type MachineContext } from '../context.ts'
import { EngineClient } from '../engine-api.ts'
import { fail } from '../errors.ts'
import type { Step, StepRun } from '../journal/step.ts'
import { ensureServerCertificate } from '../pki/authority.ts'
import { type Bundle, buildBundle, type Part } from './bundle.ts'
import { areCertificatesRight, installCertificates } from './certificates.ts'
import { hostPaths } from './host-paths.ts'
import { requireFit } from './probe.ts'
import { runScript } from './remote.ts'
import { installService, isServiceRight, removeService, type ServiceOptions } from './service.ts'
import { assembleBundle, isAssembled, missingParts, uploadParts } from './upload.ts'

/**
 * How long a started engine may take to answer: half a minute, or a sixth of what its host may. A host that is slow to come up, such as an emulated one, is so in all that it does.
 */
const engineShare = 1 / 6
/** For one try: a handshake takes an emulated host seconds. */
const tryMs = 15_000

type MachineStep = Step<MachineContext>

/** The steps in order. Their way back is for hosts that stay. */
export const bootstrapSteps: readonly MachineStep[] = [
  check(
    'ssh.wait',
    ({ record }) => `Wait for SSH on ${record.ssh?.host ?? record.name}`,
    async (context, run) => {
      try {
        await context.ssh(run.progress)
      } catch (error) {
        throw isFailure(error, ...silences) ? await withConsole(context, error) : error
      }
    },
  ),
  check(
    'host.fit',
    () => 'Look at the host',
    async (context, run) => {
      const facts = await context.facts()
      const { host, user } = context.record.ssh!
      // First without the bundle: to see what is there of it one must be root already.
      requireFit(facts, host, user, 0)
      await requireOurs(context, host, run.signal)
      const needed = (await missingOf(context)).reduce((sum, { bytes }) => sum + bytes, 0)
      requireFit(facts, host, user, needed)
    },
  ),
  {
    id: 'bundle',
    describe: () => 'Bring the engine',
    probe: async (context, { signal }) => {
      if ((await missingOf(context)).length > 0) return false
      return isAssembled(await context.remote(), await bundleOf(context), signal)
    },
    do: async (context, run) => {
      const remote = await context.remote()
      const bundle = await bundleOf(context)
      await uploadParts(
        remote,
        await missingOf(context),
        await context.facts(),
        context.app.store.paths.bundles,
        run,
      )
      await assembleBundle(remote, bundle, run.signal)
    },
    undo: (context) => removeFromHost(context, [hostPaths.root]),
  },
  {
    id: 'certificates',
    describe: () => 'Hand over its certificates',
    probe: async (context, { signal }) => {
      return areCertificatesRight(await context.remote(), await certificatesOf(context), signal)
    },
    do: async (context, { signal }) => {
      await installCertificates(await context.remote(), await certificatesOf(context), signal)
    },
    undo: (context) => removeFromHost(context, [hostPaths.config]),
  },
  {
    id: 'service',
    describe: () => 'Start the engine',
    probe: async (context, { signal }) => {
      return isServiceRight(await context.remote(), await serviceOf(context), signal)
    },
    do: async (context, { signal }) => {
      await installService(await context.remote(), await serviceOf(context), signal)
    },
    undo: async (context, { progress }) => {
      await removeService(await context.remote(), (await context.facts()).init)
      progress(`the engine's data stays in ${hostPaths.dataRoot}`)
    },
  },
  check(
    'engine.answer',
    ({ record }) => `Talk to the engine on ${record.engine?.host ?? record.name}`,
    async (context, run) => {
      try {
        await proveEngine(context, run)
      } catch (error) {
        throw isFailure(error, 'E_ENGINE_SILENT') ? await withLog(context, error) : error
      }
    },
  ),
]

/**
 * Waits until the engine answers over mutual TLS.
 * @throws E_ENGINE_SILENT or E_ENGINE_TLS, with the cause of the last try
 */
export async function proveEngine(context: MachineContext, run: StepRun): Promise<void> {
  const { record } = context
  const engine = await EngineClient.open(record.engine!, await context.credentials())
  try {
    const version = await waitFor(
      `the engine at ${engine.url}`,
      () => engine.call<{ Version: string }>('GET', '/version', { timeoutMs: tryMs, signal: run.signal }),
      {
        timeoutMs: Math.min(context.waitMs, Math.max(30_000, context.waitMs * engineShare)),
        everyMs: 50,
        signal: run.signal,
      },
    )
    run.progress(`version ${version.Version}`)
  } catch (error) {
    const cause = (error as Error).cause
    throw isFailure(cause, 'E_ENGINE_SILENT', 'E_ENGINE_TLS') ? cause : error
  } finally {
    await engine.close()
  }
}

/** What connecting fails with where a host is not up. */
const silences = ['E_SSH_REFUSED', 'E_SSH_UNREACHABLE', 'E_SSH_PROTOCOL']

/** The failure with the end of the host's console, where its driver can tell. */
async function withConsole(context: MachineContext, failure: Error): Promise<Error> {
  const text = await context.driver.console?.(context).catch(() => undefined)
  const line = text?.trim().split('\n').at(-1)?.trim()
  if (!text || !line) return failure
  const { name } = context.record
  return fail('E_HOST_SILENT', { name, why: failure.message, line }, new Error(text, { cause: failure }))
}

/** The failure with the end of the engine's log, which may soon be gone with the host. */
async function withLog(context: MachineContext, failure: Error): Promise<Error> {
  const { init } = await context.facts()
  const command = init === 'systemd' ? 'journalctl -u tshost -n 40 -o cat' : `tail -n 40 ${hostPaths.log}`
  const log = await runScript(await context.remote(), `${command} 2>&1; true`, [])
  const lines = log
    .trim()
    .split('\n')
    .filter((line) => line.trim())
  const telling = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1)
  if (!telling) return failure
  return fail(
    'E_ENGINE_DIED',
    { url: engineUrl(context.record), line: telling.trim() },
    new Error(log, { cause: failure }),
  )
}

/** Says so where the file $1 is there with another digest than $2. */
const foreignScript = '[ ! -e "$1" ] || [ "$(sha256sum < "$1" | cut -c -64)" = "$2" ] || echo foreign'

/**
 * A host that has another storage's engine is its owner's. Not asked any more once this machine's own certificates
 * were on the way there: then a CA of ours that was made anew is brought by `provision`.
 * @throws E_HOST_UNFIT
 */
async function requireOurs(context: MachineContext, host: string, signal: AbortSignal): Promise<void> {
  if (context.record.journal.some(({ step }) => step === 'certificates')) return
  const { ca } = await context.credentials()
  const digest = createHash('sha256').update(ca).digest('hex')
  const answer = await runScript(await context.remote(), foreignScript, [hostPaths.ca, digest], { signal })
  if (answer.trim() !== 'foreign') return
  throw fail('E_HOST_UNFIT', {
    host,
    why: `another tsmachine has its engine there (${hostPaths.ca} is of another CA); remove it with that one first`,
  })
}

/** A step that makes nothing: it looks, and throws when what it sees won't do. */
function check(
  id: string,
  describe: MachineStep['describe'],
  look: (context: MachineContext, run: StepRun) => Promise<void>,
): MachineStep {
  return {
    id,
    describe,
    probe: async (context, run) => {
      await look(context, run)
      return true
    },
    do: look,
  }
}

async function removeFromHost(context: MachineContext, paths: string[]): Promise<void> {
  await runScript(await context.remote(), 'rm -rf "$@"', paths)
}

const bundles = new WeakMap<MachineContext, Promise<Bundle>>()

/** The bundle for this host; put together once for all steps. */
async function bundleOf(context: MachineContext): Promise<Bundle> {
  const { arch } = await context.facts()
  const { engineEntries, store } = context.app
  const bundle =
    bundles.get(context) ??
    buildBundle({ engineEntries: engineEntries(), arch: arch ?? 'x64', cache: store.paths.bundles })
  bundles.set(context, bundle)
  return bundle
}

const missing = new WeakMap<MachineContext, Promise<Part[]>>()

/** What the host lacks of the bundle; asked once, since the host reads 150 MB to answer. */
async function missingOf(context: MachineContext): Promise<Part[]> {
  const answer =
    missing.get(context) ?? missingParts(await context.remote(), await bundleOf(context), context.signal)
  missing.set(context, answer)
  return answer
}

async function certificatesOf(context: MachineContext) {
  const { ca } = await context.credentials()
  return {
    ca,
    server: await ensureServerCertificate(context.app.store, context.record.name, context.serverNames),
  }
}

async function serviceOf(context: MachineContext): Promise<ServiceOptions> {
  const { ca, server } = await certificatesOf(context)
  const { init, hasAtomicLibrary } = await context.facts()
  return {
    init,
    usesOwnLibraries: !hasAtomicLibrary,
    bundle: (await bundleOf(context)).digest,
    port: context.record.engine!.listenPort ?? context.record.engine!.port,
    certificates: [ca, server.cert],
  }
}
