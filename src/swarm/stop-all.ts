/**
 * Stops one part after the other, also when one of them can't be stopped as it should.
 * @throws what the first of those threw
 */
export async function stopAll(...stops: (() => Promise<void>)[]): Promise<void> {
  const errors: unknown[] = []
  for (const stop of stops) await stop().catch((error: unknown) => errors.push(error))
  if (errors.length > 0) throw errors[0]
}
