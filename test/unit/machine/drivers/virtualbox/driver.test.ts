import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { PowerAction } from '../../../../../src/machine/drivers/driver.ts'
import type { FakeVirtualBox } from '../../../../support/fake-virtualbox.ts'
import { VirtualboxBench } from '../../../../support/virtualbox-bench.ts'

const run = { signal: new AbortController().signal, progress: () => {} }
const uuid = '74736d61-6368-896e-a000-0a1b2c3d4e5f'
const open: VirtualboxBench[] = []
afterEach(() => {
  for (const bench of open.splice(0)) bench.release()
})

function newBench(...args: ConstructorParameters<typeof VirtualboxBench>): VirtualboxBench {
  const bench = new VirtualboxBench(...args)
  open.push(bench)
  return bench
}

async function power(bench: VirtualboxBench, action: PowerAction): Promise<void> {
  const { driver, context, save } = bench.open()
  await driver.power[action]!(context, run)
  save()
}

async function state(bench: VirtualboxBench): Promise<string> {
  const { driver, context } = bench.open()
  return driver.observe(context)
}

describe('a machine in VirtualBox', () => {
  test('is made of a disk, a seed, a forwarded port and an address, and carries its owner', async () => {
    const bench = newBench({ 'share-folder': '/tmp:data' })
    await bench.create()
    const [vm] = bench.box.vms
    expect(vm).toMatchObject({
      uuid,
      name: 'tsmachine-0a1b2c3d4e5f',
      state: 'running',
      shares: { data: '/tmp' },
      extra: { 'tsmachine/id': '0a1b2c3d4e5f', 'tsmachine/name': 'm1' },
      values: {
        memory: '2048',
        cpus: '2',
        nic1: 'nat',
        macaddress1: '0800270A1B2C',
        nic2: 'hostonly',
        hostonlyadapter2: 'vboxnet0',
        macaddress2: '0A00273D4E5F',
      },
    })
    const { ssh, engine, made } = bench.record
    const ports = made.ports as Record<string, number>
    expect(vm!.forwards).toEqual({
      ssh: `ssh,tcp,127.0.0.1,${ports.ssh},,22`,
      engine: `engine,tcp,127.0.0.1,${ports.engine},,2376`,
    })
    expect(ssh).toMatchObject({ host: '127.0.0.1', port: ports.ssh, user: 'tsmachine' })
    expect(engine).toEqual({ host: '192.168.56.10', port: 2376 })
    expect(bench.box.interfaces).toEqual([{ name: 'vboxnet0', ip: '192.168.56.1', mask: '255.255.255.0' }])
    const seed = readFileSync(join(bench.storage, 'machines/m1/driver/seed.iso'), 'utf8')
    expect(seed).toContain('192.168.56.10/24')
    expect(seed).toContain('vboxsf')
    expect(Object.values(bench.box.media).find(({ kind }) => kind === 'disk')!.mb).toBe(20_000)
    // Made by one call, and never by a name that another may have.
    expect(
      bench.calls.filter((call) => call.startsWith('modifyvm') && call.includes('--memory')),
    ).toHaveLength(1)
    const ofMachine = bench.calls.filter((call) => /^(\w+vm|showvminfo|storage\w+) /.test(call))
    expect(ofMachine.filter((call) => !call.includes(uuid))).toEqual([])
    expect(await bench.remove()).toEqual([])
    expect(bench.census()).toEqual([])
  })

  test('is stopped by its button, pressed again where it does not hear it, killed and started', async () => {
    const bench = newBench()
    await bench.create()
    const before = bench.record.ssh
    await power(bench, 'stop')
    expect(await state(bench)).toBe('Stopped')
    expect(bench.calls.join('\n')).toContain('acpipowerbutton')
    await power(bench, 'start')
    expect(await state(bench)).toBe('Running')
    expect(bench.record.ssh).toEqual(before)
    await power(bench, 'kill')
    expect(await state(bench)).toBe('Stopped')
    await power(bench, 'kill')
    await power(bench, 'start')
    await power(bench, 'restart')
    expect(await state(bench)).toBe('Running')
    expect(await bench.remove()).toEqual([])
    expect(bench.census()).toEqual([])
  })

  test.each([
    ['paused', 'Paused'],
    ['saved', 'Saved'],
    ['aborted-saved', 'Saved'],
    ['aborted', 'Stopped'],
    ['gurumeditation', 'Error'],
    ['saving', 'Stopping'],
  ])('that is %s is %s, is started again or removed', async (real, shown) => {
    const bench = newBench()
    await bench.create()
    bench.box.vms[0]!.state = real
    expect(await state(bench)).toBe(shown)
    if (!['gurumeditation', 'saving'].includes(real)) {
      await power(bench, 'start')
      expect(await state(bench)).toBe('Running')
      bench.box.vms[0]!.state = real
    }
    if (real === 'saving') bench.box.vms[0]!.state = 'saved'
    expect(await bench.remove()).toEqual([])
    expect(bench.census()).toEqual([])
  })

  test('keeps what was saved of it when it is told to stop', async () => {
    const bench = newBench()
    await bench.create()
    bench.box.vms[0]!.state = 'saved'
    await power(bench, 'stop')
    expect(await state(bench)).toBe('Saved')
  })

  test('waits for locks that outlive their holders', async () => {
    const bench = newBench({}, { lockAfterOff: 3 })
    await bench.create()
    await power(bench, 'kill')
    await power(bench, 'start')
    expect(await bench.remove()).toEqual([])
    expect(bench.census()).toEqual([])
  })

  test("leaves a network alone that is not ours, and another machine's", async () => {
    const theirs = { name: 'vboxnet0', ip: '192.168.56.1', mask: '255.255.255.0' }
    const bench = newBench({}, { interfaces: [theirs] })
    await bench.create()
    expect(bench.box.interfaces).toEqual([theirs])
    const path = join(bench.storage, 'virtualbox-network.json')
    const file = JSON.parse(readFileSync(path, 'utf8')) as { addresses: object }
    writeFileSync(path, JSON.stringify({ ...file, addresses: { ...file.addresses, other: '192.168.56.11' } }))
    expect(await bench.remove()).toEqual([])
    expect(bench.box.interfaces).toEqual([theirs])
    expect(existsSync(path)).toBe(true)
  })

  describe('is gone without a trace, or complete, after a death at any call', async () => {
    const whole = newBench({ 'share-folder': '/tmp:data' })
    await whole.create()
    const calls = [...whole.calls]
    whole.release()

    test.each(calls.map((call, at) => ({ at, call: call.split(' ').slice(0, 2).join(' ') })))(
      'call $at: $call',
      async ({ at }) => {
        for (const when of ['before', 'after'] as const) {
          for (const goal of ['remove', 'complete'] as const) {
            // Before a call is after the one before it, as far as VirtualBox goes.
            if (when === 'before' && goal === 'remove') continue
            const bench = newBench({ 'share-folder': '/tmp:data' })
            bench.kill = { at, when }
            await expect(bench.create()).rejects.toThrow('killed')
            bench.kill = undefined
            if (goal === 'complete') {
              await bench.create()
              expect(await state(bench)).toBe('Running')
              expect(bench.box.vms).toHaveLength(1)
              expect(Object.keys(bench.box.vms[0]!.slots)).toHaveLength(2)
              expect(bench.box.interfaces).toHaveLength(1)
            }
            expect(await bench.remove(), `killed ${when}`).toEqual([])
            expect(bench.census(), `killed ${when}, ${goal}`).toEqual([])
          }
        }
      },
    )
  })

  test('is removed by a second rm where the first one died, at any call', async () => {
    for (let at = 0; ; at++) {
      const bench = newBench()
      await bench.create()
      const calls = bench.calls.length
      bench.kill = { at: calls + at, when: at % 2 === 0 ? 'before' : 'after' }
      const left = await bench.remove().catch(() => [])
      const died = bench.calls.length > calls + at
      bench.kill = undefined
      if (died) expect(await bench.remove(), `call ${at}`).toEqual([])
      else expect(left).toEqual([])
      expect(bench.census(), `call ${at}`).toEqual([])
      bench.release()
      if (!died) break
    }
  })
})

describe('VirtualBox', () => {
  const check = async (options: object, box: Partial<FakeVirtualBox> = {}) => {
    const bench = newBench({ ...options }, box)
    const { driver, context } = bench.open()
    return driver.check(context.record.options)
  }

  test('that is there and well is taken, from 6.1 on', async () => {
    for (const version of ['6.1.50r161033', '7.0.20r163906', '7.1.4r165100', '7.2.22_Debianr175245']) {
      await check({}, { version })
      const bench = newBench({}, { version })
      await bench.create()
      expect(bench.calls.some((call) => call.includes('--platform-architecture'))).toBe(
        /^7\.[12]/.test(version),
      )
    }
    await expect(check({}, { version: '5.2.44r139111' })).rejects.toThrow(/it is version 5\.2\.44/)
  })

  test('without its kernel module says what to do', async () => {
    const checking = check({}, { hasModule: false })
    await expect(checking).rejects.toMatchObject({ code: 'E_VIRTUALBOX_UNFIT', exit: 3 })
    await expect(checking).rejects.toThrow(/kernel module/)
  })

  test.each([
    ['VT-x is not available (VERR_VMX_NO_VMX)', /no hardware virtualisation/],
    ['AMD-V is disabled in the BIOS (VERR_SVM_DISABLED)', /switched off/],
    ['VT-x is being used by another hypervisor (VERR_VMX_IN_VMX_ROOT_MODE)', /KVM/],
    ['Kernel driver not installed (rc=-1908)', /kernel module/],
    ['Something else (VERR_OTHER)', /VBoxManage startvm .* failed: Something else/],
  ])('that starts nothing for "%s" says why', async (startError, why) => {
    const bench = newBench({}, { startError })
    await expect(bench.create()).rejects.toThrow(why)
    expect(await bench.remove()).toEqual([])
    expect(bench.census()).toEqual([])
  })

  test('that allows no such network says where to allow it, and nothing is left', async () => {
    const bench = newBench({ 'hostonly-cidr': '192.168.99.1/24' })
    await expect(bench.create()).rejects.toThrow(/networks\.conf/)
    expect(await bench.remove()).toEqual([])
    expect(bench.census()).toEqual([])
  })

  test.each([
    [{ memory: 1 }, /memory/],
    [{ 'cpu-count': 65 }, /cpu-count/],
    [{ 'hostonly-cidr': '192.168.56.1' }, /hostonly-cidr/],
    [{ 'share-folder': 'x' }, /FOLDER:NAME/],
    [{ 'share-folder': '/nope:x' }, /no folder/],
    [{ 'ui-type': 'curses' }, /headless/],
    [{ 'user-data': '/nope' }, /no file/],
  ])('is not asked for %j', async (options, why) => {
    await expect(check(options)).rejects.toThrow(why)
  })
})
