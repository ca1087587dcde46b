import { hostArch } from '../kernel/arch.ts'
import { compileSeccomp } from '../kernel/seccomp/compiler.ts'
import { type SeccompProfile, seccompFlags } from '../kernel/seccomp/profile.ts'

const atMost = 100

/** Compiled seccomp profiles: compiling takes milliseconds, and nearly all containers have the same one. */
export class FilterCache {
  private readonly programs = new Map<string, Buffer>()

  of(profile: SeccompProfile | undefined): { program: Buffer; flags: number } | undefined {
    if (!profile) return undefined
    const key = JSON.stringify(profile)
    let program = this.programs.get(key)
    if (!program) {
      program = compileSeccomp(profile, hostArch())
      if (this.programs.size >= atMost) this.programs.clear()
      this.programs.set(key, program)
    }
    return { program, flags: seccompFlags(profile) }
  }
}
