/** Bodies against JSON schemas: one line that names the field. */
import { failures } from '../../../shared/errors.ts'
import { misfitFinder } from '../../../shared/schema.ts'

const fail = failures({
  E_BODY_FIELD: {
    kind: 'user',
    http: 400,
    text: (p: { field: string; problem: string }) => `invalid request body: ${p.field} ${p.problem}`,
  },
} as const)

/** A function that throws E_BODY_FIELD for what does not fit; compiled at its first use. */
export function checker(schema: object): (body: unknown) => void {
  const find = misfitFinder(schema)
  return (body) => {
    const misfit = find(body)
    if (misfit) throw fail('E_BODY_FIELD', misfit)
  }
}
