/** Kernel parameters of the container's own namespaces, written through a procfs that is checked to be one. */
import * as c from '../../kernel/constants.ts'
import { fail } from '../errors.ts'
import type { Spec } from '../spec.ts'
import type { PlanContext } from './context.ts'
import type { Namespaces } from './namespaces.ts'
import { openInRoot } from './paths.ts'

/** Which namespace a parameter lives in; any other would change the host. */
function isOwnParameter(name: string, namespaces: Namespaces, spec: Spec): boolean {
  const has = (type: string) => spec.linux?.namespaces?.some((n) => n.type === type) ?? false
  if (/^kernel\.(msg|sem$|shm)/.test(name) || name.startsWith('fs.mqueue.')) return has('ipc')
  if (name === 'kernel.domainname' || name === 'kernel.hostname') return has('uts')
  return name.startsWith('net.') && (namespaces.ownNetwork || has('network'))
}

export function planSysctls(context: PlanContext, root: number, spec: Spec, namespaces: Namespaces): void {
  const entries = Object.entries(spec.linux?.sysctl ?? {})
  if (entries.length === 0) return
  const { tape } = context
  const proc = openInRoot(tape, root, '/proc', { flags: c.O_PATH | c.O_DIRECTORY })
  const statfs = tape.reserve(120)
  tape.call('check that /proc is procfs', 'fstatfs', [proc, statfs], {
    check: { address: statfs, value: c.PROC_SUPER_MAGIC },
  })
  for (const [name, value] of entries) {
    if (!/^[\w.\-/]+$/.test(name) || name.includes('..') || !isOwnParameter(name, namespaces, spec)) {
      throw fail('E_SPEC', {
        field: 'linux.sysctl',
        problem: `${name} is not in a namespace of the container`,
      })
    }
    // A dot stands for a slash, unless the name has slashes: then it is one of an interface (sysctl(8)).
    const path = name.includes('/') ? name : name.replaceAll('.', '/')
    const fd = openInRoot(tape, proc, `sys/${path}`, { flags: c.O_WRONLY })
    tape.call(`set ${name}`, 'write', [fd, tape.string(value), Buffer.byteLength(value)])
    tape.close(fd)
  }
  tape.close(proc)
}
