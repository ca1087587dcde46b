/**
 * Flags of `create` out of the drivers' tables of options, and back.
 */
import { boolean, integer, string } from '@oclif/core/flags'
import type { FlagInput } from '@oclif/core/interfaces'
import { drivers } from '../machine/drivers/registry.ts'
import type { DriverOptions } from '../machine/record.ts'

/** `--DRIVER-OPTION` for each option of each driver. */
export function driverFlags(): FlagInput {
  const flags: FlagInput = {}
  for (const [driver, { options }] of Object.entries(drivers)) {
    for (const [name, option] of Object.entries(options)) {
      const text =
        option.default === undefined ? option.summary : `${option.summary} [default: ${option.default}]`
      const common = {
        summary: text,
        env: option.env,
        helpGroup: `${driver.toUpperCase()} DRIVER`,
        ...(option.aliases && { aliases: [...option.aliases] }),
      }
      const key = `${driver}-${name}`
      if (option.type === 'boolean') flags[key] = boolean(common)
      else if (option.type === 'integer') flags[key] = integer(common)
      else if (option.type === 'string') flags[key] = string(common)
      else flags[key] = string({ ...common, multiple: true, delimiter: ',', multipleNonGreedy: true })
    }
  }
  return flags
}

/**
 * The options given for one driver, without its prefix. Those of other drivers come from the environment of
 * people who use several, and don't matter.
 */
export function optionsOf(driver: string, flags: Record<string, unknown>): DriverOptions {
  const prefix = `${driver}-`
  return Object.fromEntries(
    Object.entries(flags)
      .filter(([key, value]) => key.startsWith(prefix) && value !== undefined)
      .map(([key, value]) => [key.slice(prefix.length), value as DriverOptions[string]]),
  )
}
