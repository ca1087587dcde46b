/**
 * VBoxManage as far as the driver uses it, from what the real one (7.2.22) was seen to do: its streams, its exit
 * codes, the form of its errors, its locks, and its lies. The state is a plain object, or a file where it runs as
 * a program (fake-vboxmanage.ts).
 */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface FakeVm {
  name: string
  uuid: string
  folder: string
  state: string
  values: Record<string, string>
  forwards: Record<string, string>
  controllers: string[]
  /** Medium by "SATA-0-0". */
  slots: Record<string, string>
  shares: Record<string, string>
  extra: Record<string, string>
  /** Calls that still find it locked; it counts down. */
  lockedFor: number
  /** How often its button was pressed, and how often it takes until it hears it. */
  pressed: number
}

export interface FakeVirtualBox {
  version: string
  hasModule: boolean
  vms: FakeVm[]
  /** Registered media: path to kind, UUID and size. */
  media: Record<string, { kind: 'disk' | 'dvd'; uuid: string; mb: number }>
  interfaces: { name: string; ip: string; mask: string }[]
  nets: { name: string; lower: string; upper: string; mask: string }[]
  /** What startvm fails with. */
  startError?: string
  /** Locked for so many calls after it went off, as it is for seconds. */
  lockAfterOff: number
  /** Presses of the power button until a guest hears it. */
  deafFor: number
}

export function newFakeVirtualBox(more: Partial<FakeVirtualBox> = {}): FakeVirtualBox {
  return {
    version: '7.2.22_Debianr175245',
    hasModule: true,
    vms: [],
    media: {},
    interfaces: [],
    nets: [],
    lockAfterOff: 1,
    deafFor: 1,
    ...more,
  }
}

interface Answer {
  code: number
  stdout: string
  stderr: string
}

/** Thrown within a call to end it as the real one ends. */
class Refusal extends Error {
  readonly code: number
  constructor(text: string, code = 1) {
    super(text)
    this.code = code
  }
}

const numbers: Record<string, string> = {
  VBOX_E_OBJECT_NOT_FOUND: '0x80bb0001',
  VBOX_E_INVALID_VM_STATE: '0x80bb0002',
  VBOX_E_FILE_ERROR: '0x80bb0004',
  VBOX_E_INVALID_OBJECT_STATE: '0x80bb0007',
  VBOX_E_OBJECT_IN_USE: '0x80bb000c',
  NS_ERROR_INVALID_ARG: '0x80070057',
  NS_ERROR_FAILURE: '0x80004005',
}

function refuse(text: string, name?: string): never {
  const details = name
    ? `\nVBoxManage: error: Details: code ${name} (${numbers[name]}), component X, interface IX, callee nsISupports
VBoxManage: error: Context: "X()" at line 1 of file X.cpp`
    : ''
  throw new Refusal(`VBoxManage: error: ${text}${details}\n`)
}

const banner = `WARNING: The character device /dev/vboxdrv does not exist.
\t Please install the virtualbox-dkms package and the appropriate
\t headers, most likely linux-headers-amd64.

\t You will not be able to start VMs until this problem is fixed.
`
const progress = '0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\n'

/** One call, on this state. */
export function fakeVBoxManage(box: FakeVirtualBox, args: readonly string[]): Answer {
  const before = box.hasModule ? '' : banner
  try {
    const [verb = '', ...rest] = args
    const handler = verbs[verb]
    if (!handler) throw new Refusal(`VBoxManage: error: Invalid command '${verb}'\n`, 2)
    const { stdout = '', stderr = '' } = handler(box, rest) ?? {}
    return { code: 0, stdout: before + stdout, stderr }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { code: error.code, stdout: before, stderr: error.message }
  }
}

type Said = { stdout?: string; stderr?: string } | undefined
const verbs: Record<string, (box: FakeVirtualBox, args: string[]) => Said> = {
  '--version': ({ version }) => ({ stdout: `${version}\n` }),
  list,
  createvm,
  unregistervm,
  modifyvm,
  storagectl,
  storageattach,
  sharedfolder,
  setextradata: (box, [vm, key, value]) => {
    find(box, vm).extra[key!] = value!
    return undefined
  },
  getextradata: (box, [vm, key]) => {
    const value = find(box, vm).extra[key!]
    return { stdout: value === undefined ? 'No value set!\n' : `Value: ${value}\n` }
  },
  showvminfo: (box, [vm]) => ({ stdout: showInfo(find(box, vm)) }),
  startvm,
  controlvm,
  discardstate: (box, [vm]) => {
    const one = find(box, vm)
    if (!/saved/.test(one.state)) {
      // Exit code 0, although it failed.
      return { stderr: 'VBoxManage: error: The machine is not saved\n' }
    }
    one.state = 'poweroff'
    return undefined
  },
  convertfromraw: (_, [from, to]) => {
    if (existsSync(to!)) refuse(`Cannot create the disk image "${to}": VERR_ALREADY_EXISTS`)
    writeFileSync(to!, `vdi of ${statSync(from!).size}`)
    return { stderr: `Converting from raw image file="${from}" to file="${to}"...\n` }
  },
  showmediuminfo: (box, [, path]) => {
    const { uuid, mb } = medium(box, 'disk', path!)
    return {
      stdout: `UUID:           ${uuid}\nState:          created\nLocation:       ${path}\nCapacity:       ${mb} MBytes\n`,
    }
  },
  modifymedium: (box, [, path, , size]) => {
    const one = medium(box, 'disk', path!)
    if (Number(size) < one.mb)
      refuse(`Shrinking is not yet supported for medium '${path}'`, 'VBOX_E_OBJECT_IN_USE')
    one.mb = Number(size)
    return { stderr: progress }
  },
  closemedium: (box, [, path]) => {
    if (box.vms.some(({ slots }) => Object.values(slots).includes(path!))) {
      refuse(`Medium '${path}' cannot be closed because it is still attached`, 'VBOX_E_OBJECT_IN_USE')
    }
    if (!box.media[path!] && !existsSync(path!)) {
      refuse(`Could not find file for the medium '${path}' (VERR_FILE_NOT_FOUND)`, 'VBOX_E_FILE_ERROR')
    }
    delete box.media[path!]
    return undefined
  },
  hostonlyif,
  hostonlynet: (box, [verb, ...rest]) => {
    const option = optionsIn(rest)
    const name = option('name')!
    if (verb === 'remove') box.nets = box.nets.filter((net) => net.name !== name)
    else
      box.nets.push({
        name,
        lower: option('lower-ip')!,
        upper: option('upper-ip')!,
        mask: option('netmask')!,
      })
    return undefined
  },
}

function optionsIn(args: readonly string[]) {
  return (name: string) => {
    const at = args.indexOf(`--${name}`)
    return at < 0 ? undefined : args[at + 1]
  }
}

function find(box: FakeVirtualBox, key: string | undefined): FakeVm {
  const vm = box.vms.find(({ uuid, name }) => uuid === key || name === key)
  return vm ?? refuse(`Could not find a registered machine with UUID {${key}}`, 'VBOX_E_OBJECT_NOT_FOUND')
}

/** For what takes a lock: one that is held is refused at once. */
function locked(box: FakeVirtualBox, key: string | undefined): FakeVm {
  const vm = find(box, key)
  if (vm.lockedFor > 0) {
    vm.lockedFor--
    refuse(
      `The machine '${vm.name}' is already locked for a session (or being unlocked)`,
      'VBOX_E_INVALID_OBJECT_STATE',
    )
  }
  return vm
}

function mutable(box: FakeVirtualBox, key: string | undefined): FakeVm {
  const vm = locked(box, key)
  if (!['poweroff', 'aborted'].includes(vm.state)) {
    refuse(`The machine is not mutable (state is ${vm.state})`, 'VBOX_E_INVALID_VM_STATE')
  }
  return vm
}

/** Naming a path registers it, for good. */
function medium(box: FakeVirtualBox, kind: 'disk' | 'dvd', path: string) {
  if (!existsSync(path)) {
    refuse(`Could not find file for the medium '${path}' (VERR_FILE_NOT_FOUND)`, 'VBOX_E_FILE_ERROR')
  }
  box.media[path] ??= { kind, uuid: randomUUID(), mb: 20 }
  return box.media[path]
}

function list(box: FakeVirtualBox, [what]: string[]): Said {
  const kinds = { hdds: 'disk', dvds: 'dvd' } as const
  if (what === 'vms') {
    return { stdout: box.vms.map(({ name, uuid }) => `"${name}" {${uuid}}\n`).join('') }
  }
  if (what === 'hdds' || what === 'dvds') {
    const records = Object.entries(box.media)
      .filter(([, { kind }]) => kind === kinds[what])
      .map(
        ([path, { uuid }]) => `UUID:           ${uuid}\nState:          created\nLocation:       ${path}\n`,
      )
    return { stdout: records.join('\n') }
  }
  if (what === 'hostonlyifs') {
    const records = box.interfaces.map(
      ({ name, ip, mask }) =>
        `Name:            ${name}\nDHCP:            Disabled\nIPAddress:       ${ip}\nNetworkMask:     ${mask}\nStatus:          Up\nVBoxNetworkName: HostInterfaceNetworking-${name}\n\n`,
    )
    return { stdout: records.join('') }
  }
  if (what === 'hostonlynets') {
    const records = box.nets.map(
      ({ name, lower, mask }) =>
        `Name:            ${name}\nGUID:            x\n\nState:           Enabled\nNetworkMask:     ${mask}\nLowerIP:         ${lower}\n\n`,
    )
    return { stdout: records.join('') }
  }
  throw new Refusal(`VBoxManage: error: Unknown subcommand "${what}".\n`, 2)
}

function createvm(box: FakeVirtualBox, args: string[]): Said {
  const option = optionsIn(args)
  const [name, uuid, base] = [option('name')!, option('uuid') ?? randomUUID(), option('basefolder')!]
  if (
    args.includes('--platform-architecture') &&
    /^[67]\.[01]/.test(box.version) &&
    !box.version.startsWith('7.1')
  ) {
    throw new Refusal('VBoxManage: error: Unknown option: --platform-architecture\n', 2)
  }
  const folder = join(base, name)
  const settings = join(folder, `${name}.vbox`)
  if (existsSync(settings)) refuse(`Machine settings file '${settings}' already exists`, 'VBOX_E_FILE_ERROR')
  mkdirSync(folder, { recursive: true })
  writeFileSync(settings, uuid)
  // The file stays where the UUID is taken: the name is burnt.
  if (box.vms.some((vm) => vm.uuid === uuid)) {
    refuse(`Registered machine with UUID {${uuid}} ('x.vbox') already exists`, 'NS_ERROR_INVALID_ARG')
  }
  const empty = { values: {}, forwards: {}, controllers: [], slots: {}, shares: {}, extra: {} }
  box.vms.push({ name, uuid, folder, state: 'poweroff', ...empty, lockedFor: 0, pressed: 0 })
  return {
    stdout: `Virtual machine '${name}' is created and registered.\nUUID: ${uuid}\nSettings file: '${settings}'\n`,
  }
}

function unregistervm(box: FakeVirtualBox, [key, ...rest]: string[]): Said {
  const vm = find(box, key)
  if (vm.lockedFor > 0 || !['poweroff', 'aborted', 'saved', 'aborted-saved'].includes(vm.state)) {
    if (vm.lockedFor > 0) vm.lockedFor--
    refuse(`Cannot unregister the machine '${vm.name}' while it is locked`, 'VBOX_E_INVALID_OBJECT_STATE')
  }
  box.vms = box.vms.filter((one) => one !== vm)
  const disks = Object.values(vm.slots).filter((path) => box.media[path]?.kind === 'disk')
  for (const disk of disks) {
    delete box.media[disk]
    if (rest.includes('--delete')) rmSync(disk, { force: true })
  }
  if (rest.includes('--delete')) rmSync(vm.folder, { recursive: true, force: true })
  return { stderr: rest.includes('--delete') ? progress : '' }
}

function modifyvm(box: FakeVirtualBox, [key, ...args]: string[]): Said {
  const vm = mutable(box, key)
  if (args[0] === '--natpf1') {
    if (args[1] === 'delete') {
      if (!vm.forwards[args[2]!]) {
        throw new Refusal(
          'VBoxManage: error: Code NS_ERROR_INVALID_ARG (0x80070057) - Invalid argument value (extended info not available)\n',
        )
      }
      delete vm.forwards[args[2]!]
      return undefined
    }
    const name = args[1]!.split(',')[0]!
    if (vm.forwards[name]) refuse('A NAT rule of this name already exists', 'NS_ERROR_INVALID_ARG')
    vm.forwards[name] = args[1]!
    return undefined
  }
  const option = optionsIn(args)
  const memory = Number(option('memory'))
  if (memory < 4)
    refuse(`Invalid RAM size: ${memory} MB (must be in range [4, 2097152] MB)`, 'NS_ERROR_INVALID_ARG')
  for (let i = 0; i < args.length; i++) {
    if (args[i]!.startsWith('--')) vm.values[args[i]!.slice(2)] = args[i + 1]!
  }
  const adapter = option('hostonlyadapter2')
  const isThere = adapter === undefined || box.interfaces.some(({ name }) => name === adapter)
  return isThere
    ? undefined
    : { stderr: `VBoxManage: warning: Interface "${adapter}" doesn't seem to exist\n` }
}

function storagectl(box: FakeVirtualBox, [key, ...args]: string[]): Said {
  const vm = mutable(box, key)
  const name = optionsIn(args)('name')!
  if (vm.controllers.includes(name)) {
    refuse(`Storage controller named '${name}' already exists`, 'VBOX_E_OBJECT_IN_USE')
  }
  vm.controllers.push(name)
  return undefined
}

function storageattach(box: FakeVirtualBox, [key, ...args]: string[]): Said {
  const vm = mutable(box, key)
  const option = optionsIn(args)
  const name = option('storagectl')!
  if (!vm.controllers.includes(name)) refuse(`Could not find a controller named '${name}'`)
  const path = option('medium')!
  medium(box, option('type') === 'hdd' ? 'disk' : 'dvd', path)
  vm.slots[`${name}-${option('port')}-${option('device')}`] = path
  return undefined
}

function sharedfolder(box: FakeVirtualBox, [, key, ...args]: string[]): Said {
  const vm = mutable(box, key)
  const option = optionsIn(args)
  const name = option('name')!
  if (vm.shares[name]) refuse(`Shared folder named '${name}' already exists`, 'VBOX_E_OBJECT_IN_USE')
  vm.shares[name] = option('hostpath')!
  return undefined
}

function startvm(box: FakeVirtualBox, [key]: string[]): Said {
  const vm = locked(box, key)
  if (box.startError) refuse(box.startError, 'NS_ERROR_FAILURE')
  if (!box.hasModule) {
    refuse(
      `The virtual machine '${vm.name}' has terminated unexpectedly during startup with exit code 1 (0x1)`,
      'NS_ERROR_FAILURE',
    )
  }
  vm.state = 'running'
  vm.pressed = 0
  return {
    stdout: `Waiting for VM "${vm.name}" to power on...\nVM "${vm.name}" has been successfully started.\n`,
  }
}

function controlvm(box: FakeVirtualBox, [key, verb]: string[]): Said {
  const vm = find(box, key)
  if (!['running', 'paused', 'gurumeditation'].includes(vm.state)) {
    refuse(`Machine '${vm.name}' is not currently running.`)
  }
  const off = () => {
    vm.state = 'poweroff'
    vm.lockedFor = box.lockAfterOff
  }
  if (verb === 'poweroff') off()
  if (verb === 'acpipowerbutton' && ++vm.pressed >= box.deafFor) off()
  if (verb === 'pause') vm.state = 'paused'
  if (verb === 'resume') vm.state = 'running'
  if (verb === 'savestate') vm.state = 'saved'
  return { stderr: verb === 'poweroff' ? progress : '' }
}

function hostonlyif(box: FakeVirtualBox, [verb, ...args]: string[]): Said {
  if (verb === 'create') {
    if (!box.hasModule)
      refuse('VBoxNetAdpCtl: Error while adding new interface: failed to open /dev/vboxnetctl')
    const names = box.interfaces.map(({ name }) => name)
    let i = 0
    while (names.includes(`vboxnet${i}`)) i++
    box.interfaces.push({ name: `vboxnet${i}`, ip: `192.168.${100 + i}.1`, mask: '255.255.255.0' })
    return { stdout: `Interface 'vboxnet${i}' was successfully created\n`, stderr: progress }
  }
  const one = box.interfaces.find(({ name }) => name === args[0])
  if (!one) refuse(`The host network interface named '${args[0]}' could not be found`, 'NS_ERROR_INVALID_ARG')
  if (verb === 'remove') {
    box.interfaces = box.interfaces.filter((other) => other !== one)
    return undefined
  }
  const option = optionsIn(args)
  // Without /etc/vbox/networks.conf only 192.168.56.0/21 is allowed.
  if (!/^192\.168\.(5[6-9]|6[0-3])\./.test(option('ip')!)) {
    throw new Refusal(
      'VBoxManage: error: Code E_ACCESSDENIED (0x80070005) - Access denied (extended info not available)\n',
    )
  }
  Object.assign(one, { ip: option('ip'), mask: option('netmask') })
  return undefined
}

function showInfo(vm: FakeVm): string {
  const quote = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`
  const lines = [
    `name=${quote(vm.name)}`,
    'encryption="disabled"',
    `UUID="${vm.uuid}"`,
    `memory=${vm.values.memory ?? 1024}`,
    `VMState="${vm.state}"`,
    ...vm.controllers.map((name, i) => `storagecontrollername${i}="${name}"`),
    ...Object.entries(vm.slots).map(([slot, path]) => `"${slot}"=${quote(path)}`),
    ...Object.values(vm.forwards).map((rule, i) => `Forwarding(${i})="${rule}"`),
    ...Object.entries(vm.shares).flatMap(([name, path], i) => [
      `SharedFolderNameMachineMapping${i + 1}="${name}"`,
      `SharedFolderPathMachineMapping${i + 1}=${quote(path)}`,
    ]),
    ' rec_screen0',
    'VideoMode="720,400,0"@0,0 1',
    'description="line1\nVMState=\\"running\\"\nline3"',
    'GuestMemoryBalloon=0',
  ]
  return `${lines.join('\n')}\n`
}

/** What is left in it, of machines, media and networks. */
export function censusOf(box: FakeVirtualBox): string[] {
  return [
    ...box.vms.map(({ name }) => `machine ${name}`),
    ...Object.keys(box.media).map((path) => `medium ${path}`),
    ...box.interfaces.map(({ name }) => `interface ${name}`),
    ...box.nets.map(({ name }) => `net ${name}`),
  ]
}

/** The state of the program that stands in for VBoxManage. */
export function readFake(file: string): FakeVirtualBox {
  return JSON.parse(readFileSync(file, 'utf8')) as FakeVirtualBox
}
