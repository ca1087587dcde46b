/**
 * Driver options as they come from flags and environment: checked against the driver's own table.
 */
import type { OptionTable } from './drivers/driver.ts'
import { fail } from './errors.ts'
import type { DriverOptions } from './record.ts'

/**
 * The given options with the defaults filled in.
 * @throws E_OPTION for one that is missing, or that the driver doesn't have
 */
export function checkOptions(driver: string, table: OptionTable, given: DriverOptions): DriverOptions {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(table, name)) {
      throw fail('E_OPTION', {
        option: `--${driver}-${name}`,
        why: `the ${driver} driver has no such option`,
      })
    }
  }
  const options: DriverOptions = {}
  for (const [name, option] of Object.entries(table)) {
    const value = given[name] ?? (option.type === 'strings' ? undefined : option.default)
    if (value === undefined) {
      if (option.required) throw fail('E_OPTION', { option: `--${driver}-${name}`, why: 'it must be given' })
      continue
    }
    options[name] = value
  }
  return options
}
