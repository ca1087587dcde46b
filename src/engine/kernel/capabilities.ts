/** Capabilities by number (linux/capability.h), as capabilities(7) names them. */
const names = [
  'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP',
  'LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER',
  'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE',
  'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP',
  'MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF',
  'CHECKPOINT_RESTORE',
] // biome-ignore format: a table

/** "CAP_CHOWN" and so on, in the order of their numbers. */
export const capabilityNames: readonly string[] = names.map((name) => `CAP_${name}`)

/** The number of "CAP_CHOWN", or undefined. */
export function capabilityNumber(name: string): number | undefined {
  const index = capabilityNames.indexOf(name)
  return index < 0 ? undefined : index
}

/** One bit a capability. @throws RangeError for an unknown name */
export function capabilityMask(list: readonly string[]): bigint {
  return list.reduce((mask, name) => {
    const number = capabilityNumber(name)
    if (number === undefined) throw new RangeError(`unknown capability ${name}`)
    return mask | (1n << BigInt(number))
  }, 0n)
}
