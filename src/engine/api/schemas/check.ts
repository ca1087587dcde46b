/** Bodies against JSON schemas: one line that names the field. */
import { Ajv, type ValidateFunction } from 'ajv'
import { failures } from '../../../shared/errors.ts'

const fail = failures({
  E_BODY_FIELD: {
    kind: 'user',
    http: 400,
    text: (p: { field: string; problem: string }) => `invalid request body: ${p.field} ${p.problem}`,
  },
} as const)

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

/** A function that throws E_BODY_FIELD for what does not fit; compiled at its first use. */
export function checker(schema: object): (body: unknown) => void {
  let compiled: ValidateFunction | undefined
  return (body) => {
    compiled ??= new Ajv({ allowUnionTypes: true, strict: false }).compile(schema)
    if (compiled(body)) return
    // Within an anyOf with null the first error is the telling one.
    const error = compiled.errors?.find((e) => e.keyword !== 'anyOf') ?? compiled.errors![0]!
    const missing = (error.params as { missingProperty?: string }).missingProperty
    const field =
      [error.instancePath.slice(1).replaceAll('/', '.'), missing].filter(Boolean).join('.') || 'it'
    throw fail('E_BODY_FIELD', { field, problem: missing ? 'is missing' : (error.message ?? 'is wrong') })
  }
}
