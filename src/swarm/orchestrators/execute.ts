/**
 * Does what the orchestrators planned. Each step looks again, inside its transaction, whether it still makes
 * sense: what was true when it was planned may have passed.
 */

import { causeChain, isFailure } from '../../shared/errors.ts'
import type { AddressCursors } from '../allocator/addresses.ts'
import { allocateTask, releaseTask } from '../allocator/tasks.ts'
import type { Context } from '../context.ts'
import { isStoreFailure } from '../errors.ts'
import type { Database } from '../store/database.ts'
import type { Draft } from '../store/draft.ts'
import { compareStates, isOver, type Task } from '../store/objects/task.ts'
import { changeSpec } from './change-spec.ts'
import { describeStep, type Step } from './steps.ts'

/** Steps in one transaction: each makes a few rows, and a failed condition does all of them again. */
const stepsPerTransaction = 100

export interface Executor {
  database: Database
  cursors: AddressCursors
  context: Context
}

export async function executeSteps(executor: Executor, steps: Step[]): Promise<void> {
  for (let i = 0; i < steps.length; i += stepsPerTransaction) {
    const batch = await executeTogether(executor, steps.slice(i, i + stepsPerTransaction))
    for (const step of batch) if (step.do === 'rollBack') await tryRollBack(executor, step)
    for (const step of batch) executor.context.log.debug({ step }, describeStep(step))
  }
}

/** A step that can't be done, whatever the store does. */
class StepError extends Error {
  readonly step: Step

  constructor(step: Step, cause: unknown) {
    super(describeStep(step), { cause })
    this.step = step
  }
}

/** A step that can't be done is left out and must not keep the others from it. @returns those that were done */
async function executeTogether(executor: Executor, steps: Step[]): Promise<Step[]> {
  try {
    await executor.database.transact((draft) => {
      for (const step of steps) {
        try {
          executeStep(executor, draft, step)
        } catch (error) {
          throw new StepError(step, error)
        }
      }
    })
    return steps
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    reportStep(executor, error)
    return executeTogether(
      executor,
      steps.filter((step) => step !== error.step),
    )
  }
}

function reportStep({ context }: Executor, error: StepError): void {
  context.log.error({ step: error.step, causes: causeChain(error) }, 'a step could not be done')
}

async function tryRollBack(executor: Executor, step: Extract<Step, { do: 'rollBack' }>): Promise<void> {
  try {
    await rollBack(executor, step)
  } catch (error) {
    // The loop tries again what the store did not keep.
    if (isFailure(error)) throw error
    reportStep(executor, new StepError(step, error))
  }
}

function executeStep(executor: Executor, draft: Draft, step: Step): void {
  switch (step.do) {
    case 'createTask':
      createTask(executor, draft, step)
      break
    case 'setDesired':
      setDesired(draft, step)
      break
    case 'orphanTask':
      endTask(draft, draft.get('task', step.taskId), 'orphaned', step.why)
      break
    case 'deleteTask':
      deleteTask(draft, step.taskId)
      break
    case 'allocateTask':
      allocateAgain(executor, draft, step.taskId)
      break
    case 'setUpdateStatus': {
      const service = draft.get('service', step.serviceId)
      if (service) draft.put('service', { ...service, UpdateStatus: step.status })
      break
    }
    case 'rollBack':
      // Alone, since it can fail: the old spec's ports may be somebody else's by now.
      break
  }
}

async function rollBack(executor: Executor, step: Extract<Step, { do: 'rollBack' }>): Promise<void> {
  const { database, cursors } = executor
  const at = (draft: Draft) => ({ StartedAt: draft.now })
  try {
    await database.transact((draft) => {
      const service = draft.get('service', step.serviceId)
      if (!service?.PreviousSpec) return
      const UpdateStatus = {
        State: 'rollback_started' as const,
        ...at(draft),
        Message: `update rolled back ${step.why}`,
      }
      changeSpec(draft, cursors, { ...service, UpdateStatus }, service.PreviousSpec, { keepPrevious: false })
    })
  } catch (error) {
    if (!isFailure(error) || isStoreFailure(error)) throw error
    await database.transact((draft) => {
      const service = draft.get('service', step.serviceId)
      const Message = `rollback paused: ${error.message}`
      const UpdateStatus = { State: 'rollback_paused' as const, ...at(draft), Message }
      if (service) draft.put('service', { ...service, UpdateStatus })
    })
  }
}

function createTask(
  { cursors, context }: Executor,
  draft: Draft,
  step: Extract<Step, { do: 'createTask' }>,
): void {
  const service = draft.get('service', step.serviceId)
  const template = service && draft.view.get('template', service.TemplateID)
  if (!service || !template) return
  const ID = context.newId()
  const addresses = allocateTask(draft, cursors, ID, template)
  const isFull = 'full' in addresses
  const task: Omit<Task, 'Version' | 'CreatedAt' | 'UpdatedAt'> = {
    ID,
    ServiceID: service.ID,
    Slot: step.slot,
    NodeID: step.nodeId ?? '',
    TemplateID: service.TemplateID,
    Status: {
      Timestamp: draft.now,
      State: isFull ? 'new' : 'pending',
      Message: isFull ? 'waiting for addresses' : 'pending task scheduling',
      ...(isFull && { Err: addresses.full }),
    },
    DesiredState: step.desired,
  }
  if (!isFull && addresses.attachments.length > 0) task.Attachments = addresses.attachments
  if (step.notBeforeMs !== undefined) task.NotBefore = new Date(step.notBeforeMs).toISOString()
  if (step.restarts) task.Restarts = step.restarts
  draft.put('task', task)
}

function setDesired(draft: Draft, { taskId, desired, why }: Extract<Step, { do: 'setDesired' }>): void {
  const task = draft.get('task', taskId)
  if (!task || compareStates(task.DesiredState, desired) >= 0) return
  const changed = { ...task, DesiredState: desired }
  const isStopped = compareStates(desired, 'running') > 0
  // Nobody else will report on a task that no node was given.
  if (isStopped && compareStates(task.Status.State, 'assigned') < 0) endTask(draft, changed, 'shutdown', why)
  else draft.put('task', changed)
}

function endTask(draft: Draft, task: Task | undefined, state: 'shutdown' | 'orphaned', why: string): void {
  if (!task || isOver(task.Status.State)) return
  releaseTask(draft, task)
  draft.put('task', { ...task, Status: { ...task.Status, Timestamp: draft.now, State: state, Message: why } })
}

function deleteTask(draft: Draft, taskId: string): void {
  const task = draft.get('task', taskId)
  if (!task) return
  releaseTask(draft, task)
  draft.delete('task', taskId)
}

function allocateAgain({ cursors }: Executor, draft: Draft, taskId: string): void {
  const task = draft.get('task', taskId)
  const template = task && draft.view.get('template', task.TemplateID)
  if (!task || !template || task.Status.State !== 'new') return
  const addresses = allocateTask(draft, cursors, taskId, template)
  if ('full' in addresses) {
    if (task.Status.Err === addresses.full) return
    draft.put('task', { ...task, Status: { ...task.Status, Err: addresses.full } })
    return
  }
  const Status = { Timestamp: draft.now, State: 'pending' as const, Message: 'pending task scheduling' }
  draft.put('task', { ...task, Status, Attachments: addresses.attachments })
}
