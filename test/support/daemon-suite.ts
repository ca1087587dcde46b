/** A suite around one daemon with an image of busybox; afterwards nothing of it is left. */
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { TestDaemon } from './daemon.ts'
import { missing, titled } from './needs.ts'

export interface SuiteOptions {
  /** Of the daemon, besides those that give it a place of its own. */
  flags?: string[]
  /** Programs that the suite needs besides the daemon's. */
  programs?: string[]
}

/** Skips the suite, with the reason, where something that it needs is missing. */
export function describeDaemon(
  title: string,
  options: SuiteOptions,
  body: (daemon: TestDaemon) => void,
): void {
  const reason = missing('busybox', 'docker', 'ip', 'nft', ...(options.programs ?? []))
  describe.skipIf(reason)(titled(title, reason), () => {
    const daemon = new TestDaemon(options.flags)
    beforeAll(async () => {
      await daemon.start()
      await daemon.loadBusybox()
    })
    afterAll(() => endDaemon(daemon))
    body(daemon)
  })
}

/** Removes all containers, ends the daemon, and looks for what it has left. */
export async function endDaemon(daemon: TestDaemon): Promise<void> {
  await daemon[Symbol.asyncDispose]()
  // The bridge, its rules and the parent cgroup are the engine's own and stay for its next start.
  const left = (await daemon.leftovers()).filter((line) => !/^\d+: tsb|^table /.test(line))
  await daemon.erase()
  expect([...left, ...(await daemon.leftovers())]).toEqual([])
  expect(existsSync(daemon.folder)).toBe(false)
}
