/**
 * Checks a Compose file against the Compose Specification's schema, and says the first thing that is wrong so
 * that it can be found: file, line, key, and the key that was probably meant.
 */
import { Ajv, type ErrorObject } from 'ajv'
import { fail } from '../errors.ts'
import schema from './compose-spec.json' with { type: 'json' }
import { nearest } from './near.ts'
import type { Path, SourceFile } from './source.ts'

/** @throws E_COMPOSE_KEY, E_COMPOSE_INVALID */
export function validate(source: SourceFile, content: unknown): void {
  if (content === null || typeof content !== 'object' || Array.isArray(content)) {
    throw fail('E_COMPOSE_INVALID', { file: source.file, line: 1, key: '', why: 'it is not a map of keys' })
  }
  const check = compile()
  if (check(content)) return
  const error = mostTelling(check.errors ?? [])
  const path = pathOf(error.instancePath)
  if (error.keyword === 'additionalProperties' || error.keyword === 'unevaluatedProperties') {
    const key = (error.params as { additionalProperty: string }).additionalProperty
    const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {})
    throw fail('E_COMPOSE_KEY', {
      file: source.file,
      line: source.lineOf([...path, key]),
      key: [...path, key].join('.'),
      near: nearest(key, known),
    })
  }
  throw fail('E_COMPOSE_INVALID', {
    file: source.file,
    line: source.lineOf(path),
    key: path.join('.'),
    why: describe(error),
  })
}

let compiled: ReturnType<Ajv['compile']> | undefined

function compile() {
  // Its $schema is a spelling of draft 7 that ajv does not know, and ajv's own is that draft.
  const { $schema: _, ...rest } = schema
  const ajv = new Ajv({ allErrors: true, strict: false, verbose: true, validateFormats: false })
  compiled ??= ajv.compile(rest)
  return compiled
}

/**
 * Of all that the schema complains about: an unknown key before a wrong value, what lies deeper before what
 * lies higher (an alternative that does not fit complains at its top), the first of equals.
 */
function mostTelling(errors: ErrorObject[]): ErrorObject {
  const rank = (error: ErrorObject) => {
    const depth = pathOf(error.instancePath).length
    const isKey = error.keyword === 'additionalProperties'
    const isFrame = ['oneOf', 'anyOf', 'if'].includes(error.keyword)
    return depth * 4 + (isKey ? 3 : isFrame ? 0 : 1)
  }
  return errors.reduce((best, error) => (rank(error) > rank(best) ? error : best))
}

function describe({ keyword, params, message, data }: ErrorObject): string {
  const shown = typeof data === 'object' ? '' : ` ${JSON.stringify(data)}`
  switch (keyword) {
    case 'type': {
      const types = (params as { type: string | string[] }).type
      return `${shown.trim() || 'it'} must be ${[types].flat().join(' or ')}`
    }
    case 'enum':
      return `${shown.trim()} is none of ${(params as { allowedValues: unknown[] }).allowedValues.join(', ')}`
    case 'oneOf':
    case 'anyOf':
      return `${shown.trim() || 'it'} has none of the allowed forms`
    default:
      return `${shown.trim() || 'it'} ${message ?? 'is not allowed'}`
  }
}

/** "/services/web/ports/0" -> its parts. */
function pathOf(pointer: string): Path {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}
