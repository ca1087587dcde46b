/**
 * JSON schemas in few words, and what is wrong with a value in one line that names the field. For what comes
 * from outside: bodies of API calls, messages between nodes.
 */
import { Ajv, type Options, type ValidateFunction } from 'ajv'

export const string = { type: 'string' }
export const boolean = { type: 'boolean' }
export const integer = { type: 'integer', minimum: -(2 ** 53), maximum: 2 ** 53 }
export const nullable = <T extends object>(schema: T) => ({ anyOf: [schema, { type: 'null' }] })
export const list = (items: object) => nullable({ type: 'array', items, maxItems: 100_000 })
export const map = (values: object) => nullable({ type: 'object', additionalProperties: values })
export const object = (properties: Record<string, object>, required: string[] = []) => ({
  type: 'object',
  properties,
  required,
})
export const text = (maxLength: number) => ({ type: 'string', maxLength })
export const oneOf = (...values: string[]) => ({ enum: values })

export interface Misfit {
  /** With dots: TaskTemplate.Resources.Limits; "it" for the whole. */
  field: string
  problem: string
}

/** A field's name may have come from outside too. */
const longestField = 200

/** A function that says what does not fit; compiled at its first use. */
export function misfitFinder(schema: object, options: Options = {}): (value: unknown) => Misfit | undefined {
  let compiled: ValidateFunction | undefined
  return (value) => {
    compiled ??= new Ajv({ allowUnionTypes: true, strict: false, ...options }).compile(schema)
    return compiled(value) ? undefined : describeMisfit(compiled)
  }
}

function describeMisfit({ errors }: ValidateFunction): Misfit {
  // Within an anyOf with null the first error is the telling one.
  const error = errors?.find((e) => e.keyword !== 'anyOf') ?? errors![0]!
  const { missingProperty, allowedValues } = error.params as {
    missingProperty?: string
    allowedValues?: unknown[]
  }
  const path = [error.instancePath.slice(1).replaceAll('/', '.'), missingProperty].filter(Boolean).join('.')
  const field = path.slice(0, longestField) || 'it'
  if (missingProperty) return { field, problem: 'is missing' }
  if (allowedValues) return { field, problem: `must be ${allowedValues.map(quote).join(' or ')}` }
  return { field, problem: error.message ?? 'is wrong' }
}

function quote(value: unknown): string {
  return JSON.stringify(value)
}
