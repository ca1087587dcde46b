import { editDistance } from '../../shared/edit-distance.ts'

/** The known word that a mistyped one most likely means; undefined where none is near. */
export function nearest(word: string, known: string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3))
  let best: { word: string; distance: number } | undefined
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance <= limit && (!best || distance < best.distance)) best = { word: candidate, distance }
  }
  return best?.word
}
