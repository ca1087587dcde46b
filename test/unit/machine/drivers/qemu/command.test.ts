import { expect, test } from 'vitest'
import {
  parseForward,
  processorArgs,
  qemuArgs,
  type Vm,
  vmMac,
  vmUuid,
} from '../../../../../src/machine/drivers/qemu/command.ts'

const vm: Vm = {
  uuid: vmUuid('0a1b2c3d4e5f'),
  name: 'm1',
  arch: 'x64',
  accelerator: 'tcg',
  memoryMb: 512,
  cpuCount: 2,
  hasDisk: true,
  forwards: [{ protocol: 'tcp', address: '127.0.0.1', port: 5022, guestPort: 22 }],
  mac: vmMac('0a1b2c3d4e5f'),
  monitor: '/a,b/monitor.sock',
}

test('names of a machine derive from its id', () => {
  expect(vm.uuid).toBe('74736d61-6368-896e-a000-0a1b2c3d4e5f')
  expect(vm.mac).toBe('52:54:00:0a:1b:2c')
})

test("QEMU's command line", () => {
  expect(qemuArgs(vm).join(' ')).toBe(
    '-name tsmachine-m1 -uuid 74736d61-6368-896e-a000-0a1b2c3d4e5f -nodefaults -no-user-config -display none' +
      ' -machine q35 -accel tcg,thread=multi,tb-size=512 -cpu max -smp 2 -m 512M' +
      ' -drive if=none,id=disk,file=disk.qcow2,format=qcow2,discard=unmap -device virtio-blk-pci,drive=disk,bootindex=1' +
      ' -drive if=none,id=seed,file=seed.iso,format=raw,readonly=on -device virtio-blk-pci,drive=seed' +
      ' -netdev user,id=net,hostfwd=tcp:127.0.0.1:5022-:22 -device virtio-net-pci,netdev=net,mac=52:54:00:0a:1b:2c,romfile=' +
      ' -device virtio-rng-pci -chardev file,id=console,path=console.log -serial chardev:console' +
      ' -chardev socket,id=monitor,path=/a,,b/monitor.sock,server=on,wait=off -mon chardev=monitor,mode=control',
  )
})

test('a kernel is booted directly, without a disk', () => {
  const args = qemuArgs({ ...vm, hasDisk: false, kernel: { path: '/k', initrd: '/i', append: 'a=b c' } })
  expect(args).toEqual(expect.arrayContaining(['-kernel', '/k', '-initrd', '/i', '-append', 'a=b c']))
  expect(args.join(' ')).not.toContain('disk.qcow2')
})

test('the processor is the real one where it is lent', () => {
  expect(processorArgs({ arch: 'arm64', accelerator: 'hvf' })).toEqual([
    ...['-machine', 'virt', '-accel', 'hvf', '-cpu', 'host'],
  ])
  expect(processorArgs({ arch: 'arm64', accelerator: 'tcg' }).at(-1)).toBe('max,pauth-impdef=on')
})

test.each([
  ['8080:80', { address: '127.0.0.1', port: 8080, guestPort: 80, protocol: 'tcp' }],
  ['0.0.0.0:53:53/udp', { address: '0.0.0.0', port: 53, guestPort: 53, protocol: 'udp' }],
  ['8080', undefined],
  ['0:80', undefined],
  ['8080:65536', undefined],
  ['300.0.0.1:1:1', undefined],
  ['1:1,hostfwd=tcp::2-:2', undefined],
  ['a:1:1', undefined],
])('the forward %s', (text, forward) => {
  expect(parseForward(text)).toEqual(forward)
})
