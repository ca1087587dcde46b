import { custom } from '@oclif/core/flags'
import { fail } from '../machine/errors.ts'
import { parseDuration } from '../shared/units.ts'

/** A flag for a duration like 90s or 5m, or a bare number of seconds; its value is in milliseconds. */
export const duration = custom<number>({
  parse: async (text, _, { name }) => {
    const ns = parseDuration(/^\d+$/.test(text) ? `${text}s` : text)
    if (ns === undefined)
      throw fail('E_OPTION', { option: `--${name}`, why: `"${text}" is no duration like 90s or 5m` })
    return ns / 1e6
  },
})
