/** `--platform`: an image for another machine than the user asked for is refused. */
import { fail } from './errors.ts'

export interface Platform {
  os: string
  architecture: string
}

/** As containerd's platforms package takes them. */
const architectures: Record<string, string> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64' }

/** @throws E_PARAMETER, E_PLATFORM */
export function checkPlatform(image: string, has: Platform, text: string): void {
  const parts = text.toLowerCase().split('/')
  if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_.-]+$/.test(part)))
    throw fail('E_PARAMETER', { name: 'platform', problem: text })
  // One word is a system, or a machine of this one's system.
  const [os, machine] = parts.length > 1 ? parts : parts[0] === 'linux' ? parts : ['linux', parts[0]]
  const architecture = machine && (architectures[machine] ?? machine)
  if (os !== has.os || (architecture && architecture !== has.architecture))
    throw fail('E_PLATFORM', { image, has: `${has.os}/${has.architecture}`, wanted: text })
}
