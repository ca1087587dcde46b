/** The public address of this client, as AWS itself sees it. */
import { isIP } from 'node:net'

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/working-with-security-groups.html names this service. */
const service = 'https://checkip.amazonaws.com/'
const answerMs = 10_000

/** @throws where there is no answer, or one that is no address */
export async function learnCallersAddress(signal: AbortSignal): Promise<string> {
  const response = await fetch(service, { signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]) })
  const text = (await response.text()).trim()
  if (!response.ok || isIP(text) === 0) throw new Error(`${service} answers ${response.status}`)
  return text
}
