import { describe, expect, test } from 'vitest'
import { imageKindOf } from '../../../../../src/machine/drivers/virtualbox/disk.ts'
import {
  forwardsOf,
  machineStateOf,
  parseList,
  parseMachineReadable,
  parseRecords,
} from '../../../../../src/machine/drivers/virtualbox/machine-readable.ts'
import { chooseHostAddress, parseCidr } from '../../../../../src/machine/drivers/virtualbox/network.ts'
import {
  parseVersion,
  readResult,
  VBoxManage,
} from '../../../../../src/machine/drivers/virtualbox/vboxmanage.ts'

const error = (name: string) => `0%...VBOX_E_FILE_ERROR
VBoxManage: error: Something went wrong
VBoxManage: error: Details: code ${name} (0x80bb0007), component MachineWrap, interface IMachine, callee nsISupports
VBoxManage: error: Context: "LockMachine(a->session, LockType_Write)" at line 901 of file VBoxManageModifyVM.cpp
`

describe("VBoxManage's output", () => {
  const text = `name="m \\"1\\""
groups="/"
memory=1024
VMState="poweroff"
"SATA-0-0"="/home/u/VirtualBox VMs/m1/disk.vdi"
"My \\"S\\" ata-1-0"="none"
Forwarding(0)="ssh,tcp,127.0.0.1,50022,,22"
Forwarding(1)="x,tcp,,1,,2"
 rec_screen0
VideoMode="720,400,0"@0,0 1
CfgFile="C:\\\\Users\\\\u\\\\m1.vbox"
description="line1
VMState=\\"running\\"
line2 \\"quoted\\" \\\\back"
GuestMemoryBalloon=0
`

  test('is read by its quotes', () => {
    const info = parseMachineReadable(text)
    expect(info.get('name')).toBe('m "1"')
    expect(info.get('memory')).toBe('1024')
    expect(info.get('SATA-0-0')).toBe('/home/u/VirtualBox VMs/m1/disk.vdi')
    expect(info.get('My "S" ata-1-0')).toBe('none')
    expect(info.get('VideoMode')).toBe('720,400,0')
    expect(info.get('CfgFile')).toBe('C:\\Users\\u\\m1.vbox')
    expect(info.get('description')).toBe('line1\nVMState="running"\nline2 "quoted" \\back')
    expect(info.get('GuestMemoryBalloon')).toBe('0')
    expect(machineStateOf(info)).toBe('Stopped')
    expect(forwardsOf(info)).toEqual(['ssh,tcp,127.0.0.1,50022,,22', 'x,tcp,,1,,2'])
    expect(parseMachineReadable(text.replaceAll('\n', '\r\n')).get('VMState')).toBe('poweroff')
  })

  test.each([text.slice(0, -1), 'name="m', 'CfgFile="/home/\n'])('that is cut off is refused', (cut) => {
    expect(() => parseMachineReadable(cut)).toThrow(/cut off/)
  })

  test('of lists has names with anything in them', () => {
    const lines = `"m1" {4160deb2-7c11-4477-a946-70e40ca74cd3}
"q"uo\\te é" {f98f1b97-76cb-4dbe-9124-42c06be6fc29}
`
    expect(parseList(lines).map(({ name }) => name)).toEqual(['m1', 'q"uo\\te é'])
    const records = parseRecords('Name:   a\nGUID:  1\n\nState:   Enabled\nLowerIP:  1.2.3.4\nName:  b\n')
    expect(records).toEqual([{ Name: 'a', GUID: '1', State: 'Enabled', LowerIP: '1.2.3.4' }, { Name: 'b' }])
  })

  test('of a version may have a banner before it', () => {
    expect(parseVersion('WARNING: no device\n\t fix it\n7.2.22_Debianr175245\n')).toEqual([7, 2, 22])
    expect(parseVersion('6.1.50r161033\r\n')).toEqual([6, 1, 50])
    expect(parseVersion('nonsense')).toBeUndefined()
  })

  test('means failure by what it says, not by the exit code alone', () => {
    const ok = { code: 0, stdout: '', stderr: '' }
    expect(readResult({ ...ok, stderr: '0%...100%\n' }).error).toBeUndefined()
    expect(
      readResult({ ...ok, stderr: 'VBoxManage: warning: Interface "x" is missing\n' }).error,
    ).toBeUndefined()
    expect(readResult({ ...ok, stderr: error('NS_ERROR_FAILURE') })).toMatchObject({
      error: 'Something went wrong',
      code: 'NS_ERROR_FAILURE',
    })
    expect(readResult({ code: 1, stdout: '', stderr: '' }).error).toBe('exit 1')
    expect(readResult({ ...ok, stderr: 'VBoxManage.exe: error: x\n' }).error).toBe('x')
    const denied = 'VBoxManage: error: Code E_ACCESSDENIED (0x80070005) - Access denied\n'
    expect(readResult({ code: 1, stdout: '', stderr: denied }).code).toBe('E_ACCESSDENIED')
  })
})

describe('a call of VBoxManage', () => {
  const failing = (times: number, stderr: string) => {
    const calls: string[] = []
    const vbox = new VBoxManage(async (args) => {
      calls.push(args.join(' '))
      return calls.length > times
        ? { code: 0, stdout: 'fine\n', stderr: '' }
        : { code: 1, stdout: '', stderr }
    }, 1)
    return { vbox, calls }
  }

  test('is repeated while another session has the machine', async () => {
    const { vbox, calls } = failing(2, error('VBOX_E_INVALID_OBJECT_STATE'))
    expect(await vbox.run(['modifyvm', 'x', '--memory', '512'])).toBe('fine\n')
    expect(calls).toHaveLength(3)
  })

  test('is repeated for a server that died, where that does no harm', async () => {
    const dead = 'VBoxManage: error: Failed to create the VirtualBox object!\n'
    expect(await failing(1, dead).vbox.run(['list', 'vms'])).toBe('fine\n')
    await expect(failing(1, dead).vbox.run(['hostonlyif', 'create'])).rejects.toMatchObject({
      code: 'E_VBOXMANAGE',
    })
  })

  test('is not repeated for anything else', async () => {
    const { vbox, calls } = failing(1, error('VBOX_E_OBJECT_NOT_FOUND'))
    await expect(vbox.run(['showvminfo', 'x'])).rejects.toThrow(
      /VBoxManage showvminfo x failed: Something went wrong/,
    )
    expect(calls).toHaveLength(1)
  })
})

test('addresses of a host-only network', () => {
  const cidr = parseCidr('192.168.56.1/24')
  expect(cidr).toEqual({ host: '192.168.56.1', bits: 24, mask: '255.255.255.0' })
  expect(chooseHostAddress(cidr, [])).toBe('192.168.56.10')
  expect(chooseHostAddress(cidr, ['192.168.56.10', '192.168.56.12'])).toBe('192.168.56.11')
  expect(chooseHostAddress(parseCidr('10.0.0.1/29'), ['10.0.0.2'])).toBe('10.0.0.3')
  expect(() =>
    chooseHostAddress(
      parseCidr('10.0.0.1/29'),
      [2, 3, 4, 5, 6].map((i) => `10.0.0.${i}`),
    ),
  ).toThrow(/taken/)
  for (const bad of ['', '1.2.3.4', '300.1.1.1/24', '10.0.0.1/31', '10.0.0.1/x']) {
    expect(() => parseCidr(bad), bad).toThrow(/hostonly-cidr/)
  }
})

test('kinds of images by their first bytes', () => {
  const vdi = Buffer.alloc(512)
  vdi.writeUInt32LE(0xbeda107f, 64)
  expect(imageKindOf(vdi)).toBe('vdi')
  expect(imageKindOf(Buffer.from('QFI\xfb\0', 'latin1'))).toBe('qcow2')
  expect(imageKindOf(Buffer.from('KDMV'))).toBe('vmdk')
  expect(imageKindOf(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a]))).toBe('compressed')
  expect(imageKindOf(Buffer.alloc(512))).toBe('raw')
})
