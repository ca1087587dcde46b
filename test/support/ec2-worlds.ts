/** The clouds in which the EC2 driver must leave nothing, and one run of its matrix on a disk of memory. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathsOf } from '../../src/machine/paths.ts'
import { Store } from '../../src/machine/store/store.ts'
import { ec2Subject, useFakeCredentials } from './ec2-subject.ts'
import { type MatrixResult, type MatrixSubject, runMatrix, runWalks } from './fault-matrix.ts'

/** What is new is hidden for up to five seconds, and the driver is told ten. */
const hidden = { consistencyMs: 5_000, staleActions: true, interfaceLagMs: 3_000 }
const options = { 'consistency-seconds': 10 }

export const ec2Worlds = {
  prompt: ec2Subject({}),
  hiding: ec2Subject(hidden, options),
  'hiding, without client tokens': ec2Subject({ ...hidden, ignoresTokens: true }, options),
  'hiding, with an elastic address': ec2Subject({ ...hidden, seed: 7 }, { ...options, 'elastic-ip': true }),
  'hiding, with spot and without room in the first zone': {
    ...ec2Subject(
      { ...hidden, isFull: (_, zone, isSpot) => isSpot && zone.endsWith('a') },
      { ...options, 'spot-only': true, zone: ['a', 'b'] },
    ),
    // A one-time spot instance can't be stopped.
    commands: ['create', 'rm'],
  },
} satisfies Record<string, MatrixSubject>

export type Ec2World = keyof typeof ec2Worlds

export async function runEc2Matrix(name: Ec2World): Promise<MatrixResult> {
  const result = await withStore((store) => runMatrix(ec2Worlds[name], { store }))
  const { combinations, calls, failures } = result
  const counts = `${combinations} combinations of ${JSON.stringify(calls)} calls`
  console.log(`ec2, a cloud ${name}: ${counts}, ${failures.length} failures`)
  return result
}

export async function runEc2Walks(name: Ec2World, walks: number): Promise<string[]> {
  const seeds = Array.from({ length: walks }, (_, seed) => seed)
  return withStore((store) => runWalks(ec2Worlds[name], { store, seeds }))
}

async function withStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
  useFakeCredentials()
  // Each of the journal's writes waits for the disk; which disk that is proves nothing here.
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tsmachine-ec2-'))
  try {
    return await work(new Store(pathsOf(folder)))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
