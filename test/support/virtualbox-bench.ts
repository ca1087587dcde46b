/** The VirtualBox driver over the fake, in one process: a crash drops the driver and all that it had in memory. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Driver, DriverContext } from '../../src/machine/drivers/driver.ts'
import { makeVirtualboxDriver } from '../../src/machine/drivers/virtualbox/driver.ts'
import { virtualboxOptions } from '../../src/machine/drivers/virtualbox/options.ts'
import { VBoxManage } from '../../src/machine/drivers/virtualbox/vboxmanage.ts'
import { planForward } from '../../src/machine/journal/plan.ts'
import { type Left, runBack, runForward } from '../../src/machine/journal/run.ts'
import { checkOptions } from '../../src/machine/options.ts'
import { pathsOf } from '../../src/machine/paths.ts'
import type { DriverOptions, MachineRecord } from '../../src/machine/record.ts'
import { censusOf, type FakeVirtualBox, fakeVBoxManage, newFakeVirtualBox } from './fake-virtualbox.ts'
import { Killed, recordingReporter } from './machine-fakes.ts'

export class VirtualboxBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'tsmachine-vbox-'))
  readonly storage = join(this.folder, 'storage')
  readonly box: FakeVirtualBox
  readonly calls: string[] = []
  /** Dies at the call of this number, counted from 0. */
  kill: { at: number; when: 'before' | 'after' } | undefined
  #record: string

  constructor(options: DriverOptions = {}, box: Partial<FakeVirtualBox> = {}, id = '0a1b2c3d4e5f') {
    this.box = newFakeVirtualBox(box)
    const image = join(this.folder, 'image.raw')
    writeFileSync(image, Buffer.alloc(1024))
    const record: MachineRecord = {
      version: 1,
      id,
      name: 'm1',
      driver: 'virtualbox',
      created: '',
      owner: 'anna@desk',
      options: checkOptions('virtualbox', virtualboxOptions, { image, ...options }),
      dockerContext: false,
      phase: 'creating',
      journal: [],
      made: {},
    }
    this.#record = JSON.stringify(record)
    mkdirSync(pathsOf(this.storage).machine('m1').folder, { recursive: true })
  }

  /** A new driver that remembers nothing, over what is on the disk and in VirtualBox. */
  open(): { driver: Driver; context: DriverContext; save: () => void } {
    const vbox = new VBoxManage(async (args) => {
      const at = this.calls.push(args.join(' ')) - 1
      const dies = this.kill?.at === at
      if (dies && this.kill!.when === 'before') throw new Killed('killed')
      const answer = fakeVBoxManage(this.box, args)
      if (dies) throw new Killed('killed')
      return answer
    }, 1)
    const record = JSON.parse(this.#record) as MachineRecord
    const context: DriverContext = {
      record,
      paths: pathsOf(this.storage).machine('m1'),
      storage: this.storage,
      withStorage: (work) => work(),
      ssh: () => Promise.reject(new Error('there is no guest')),
      waitMs: 1_000,
    }
    const save = () => {
      this.#record = JSON.stringify(record)
    }
    return { driver: makeVirtualboxDriver(() => vbox), context, save }
  }

  get record(): MachineRecord {
    return JSON.parse(this.#record) as MachineRecord
  }

  async create(): Promise<void> {
    const { steps, ...options } = this.#runOptions()
    await runForward(
      { steps, ...options },
      planForward(
        steps.map(({ id }) => id),
        options.journal.read(),
      ),
    )
  }

  async remove(): Promise<Left[]> {
    return runBack(this.#runOptions())
  }

  #runOptions() {
    const { driver, context, save } = this.open()
    const { record } = context
    return {
      steps: driver.steps,
      context,
      journal: {
        read: () => record.journal,
        save: async (entries: MachineRecord['journal']) => {
          record.journal = entries
          save()
        },
      },
      reporter: recordingReporter(),
      signal: new AbortController().signal,
      now: () => '2026-01-01T00:00:00.000Z',
    }
  }

  /** All that is left, in VirtualBox and on the disk. */
  census(): string[] {
    const { driver } = pathsOf(this.storage).machine('m1')
    const leases = join(this.storage, 'vm-ports.json')
    const ports = existsSync(leases) ? Object.keys(JSON.parse(readFileSync(leases, 'utf8')) as object) : []
    return [
      ...censusOf(this.box),
      ...(existsSync(driver) ? readdirSync(driver).map((name) => `file ${name}`) : []),
      ...ports.map((id) => `ports of ${id}`),
      ...(existsSync(join(this.storage, 'virtualbox-network.json')) ? ['network file'] : []),
    ]
  }

  release(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
