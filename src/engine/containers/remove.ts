/** DELETE /containers/{id}. */
import { constants } from 'node:os'
import { within } from '../../shared/deadline.ts'
import type { Container } from './container.ts'
import type { ContainerContext } from './context.ts'
import { removeAnonymousVolumes } from './create.ts'
import { fail } from './errors.ts'

export interface RemoveOptions {
  /** Kill it if it runs. */
  force?: boolean
  /** Its anonymous volumes too. */
  volumes?: boolean
}

/** @throws E_REMOVE_RUNNING, E_BEING_REMOVED */
export async function removeContainer(
  context: ContainerContext,
  container: Container,
  options: RemoveOptions = {},
): Promise<void> {
  const { record } = container
  if (record.state.status === 'removing') throw fail('E_BEING_REMOVED', { id: container.id })
  if (container.isRunning) {
    if (!options.force) throw fail('E_REMOVE_RUNNING', { name: `/${record.name}` })
    await killForRemoval(context, container)
  }
  clearTimeout(container.restartTimer)
  await container.exclusively(async () => {
    // --rm may have been quicker.
    if (context.table.find(container.id)) await destroyContainer(context, container, options)
  })
}

async function killForRemoval(context: ContainerContext, container: Container): Promise<void> {
  const exited = container.nextExit()
  try {
    container.record.stoppedByUser = true
    context.events.container('kill', container.id, { signal: String(constants.signals.SIGKILL) })
    if (container.running?.signal(constants.signals.SIGKILL) === false && !container.isRunning) return
    await within(`container ${container.id.slice(0, 12)} to end after SIGKILL`, 30_000, exited.promise)
  } finally {
    exited.cancel()
  }
}

/** Removes one that does not run; the caller holds the container. */
export async function destroyContainer(
  context: ContainerContext,
  container: Container,
  options: RemoveOptions,
): Promise<void> {
  const { record } = container
  record.state.status = 'removing'
  context.table.note(container)
  context.networks.detach(container.id)
  context.table.files.remove(container.id)
  // While the table still knows its name and labels, which belong to the event.
  context.events.container('destroy', container.id, {})
  context.table.delete(container)
  if (options.volumes) await removeAnonymousVolumes(context, record.mounts)
  container.signals.emit('removed', record.state.exitCode)
}
