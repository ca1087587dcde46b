/** Reading what EC2 says of an instance. Pure. */
import type { Instance, InstanceStateName } from '@aws-sdk/client-ec2'
import type { MachineState } from '../driver.ts'
import { tagKeys } from '../tags.ts'
import { tagsOf } from './session.ts'

/** As docker-machine has them. */
const states: Record<InstanceStateName, MachineState> = {
  pending: 'Starting',
  running: 'Running',
  stopping: 'Stopping',
  stopped: 'Stopped',
  'shutting-down': 'Stopping',
  terminated: 'Error',
}

/** The state to show; an instance that is gone is an error, not a surprise. */
export function machineState(instance: Instance | undefined): MachineState {
  return states[instance?.State?.Name ?? 'terminated']
}

/** Whether it is there to stay: pending, running, stopping or stopped. */
export function isLiving({ State }: Instance): boolean {
  return State?.Name !== 'terminated' && State?.Name !== 'shutting-down'
}

export function machineIdOf({ Tags }: Instance): string | undefined {
  return tagsOf(Tags)[tagKeys.id]
}

/** Why EC2 ended it, in its own words. */
export function deathOf({ StateReason, StateTransitionReason }: Instance): string {
  return StateReason?.Message || StateTransitionReason || 'no reason given'
}

/** The address to reach it by, once it has it. */
export function addressOf(instance: Instance, reachBy: 'public' | 'private' | 'ipv6'): string | undefined {
  if (reachBy === 'private') return instance.PrivateIpAddress
  if (reachBy === 'public') return instance.PublicIpAddress
  return instance.Ipv6Address ?? instance.NetworkInterfaces?.[0]?.Ipv6Addresses?.[0]?.Ipv6Address
}
