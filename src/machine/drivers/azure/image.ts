/**
 * Which image a VM starts from: the user's, or the newest Ubuntu LTS that the region has for the processor.
 */
import { fail } from '../../errors.ts'
import { allOf, call } from './calls.ts'
import type { Azure } from './clients.ts'
import { pause } from './pace.ts'
import { type AzureMachine, text } from './settings.ts'

export type Image = { id: string } | { publisher: string; offer: string; sku: string; version: string }

const publisher = 'Canonical'

/** @throws E_OPTION where the region has no Ubuntu LTS */
export async function chooseImage(
  azure: Azure,
  { options, location }: AzureMachine,
  signal: AbortSignal | undefined,
): Promise<Image> {
  const named = text(options, 'image')
  if (named !== undefined) return parseImage(named)
  const offers = await call(`list the images of ${publisher} in ${location}`, signal, () =>
    azure.compute.virtualMachineImages.listOffers(location, publisher, { abortSignal: signal }),
  )
  const offer = newestLts(offers.map(({ name }) => name))
  if (!offer)
    throw fail('E_OPTION', { option: '--azure-image', why: `${location} has no Ubuntu LTS; name an image` })
  const sku = isArm(String(options.size)) ? 'server-arm64' : 'server'
  return { publisher, offer, sku, version: 'latest' }
}

export function parseImage(named: string): Image {
  if (named.startsWith('/')) return { id: named }
  const [publisher = '', offer = '', sku = '', version = ''] = named.split(':')
  return { publisher, offer, sku, version }
}

/** "ubuntu-24_04-lts" and the like: the highest of those that are exactly that, not a daily or a pro edition. */
export function newestLts(offers: readonly string[]): string | undefined {
  const year = (offer: string) => Number(/^ubuntu-(\d\d)_04-lts$/.exec(offer)?.[1] ?? 0)
  return offers.filter((offer) => year(offer) > 0).toSorted((a, b) => year(b) - year(a))[0]
}

/** Sizes with a "p" among the letters after the number have an ARM processor. */
export function isArm(size: string): boolean {
  return /^Standard_[A-Z]+\d+(-\d+)?[a-z]*p/.test(size)
}

const providers = ['Microsoft.Compute', 'Microsoft.Network']

/** Once for a new subscription: it must have been told to use these services at all. */
export async function registerProviders(azure: Azure, signal: AbortSignal | undefined): Promise<void> {
  await allOf(
    providers.map((name) => async () => {
      const what = `register ${name}`
      const { clock, limits, resources } = azure
      const end = clock.now() + limits.operationMs
      const state = () =>
        call(what, signal, async () => {
          const provider = await resources.providers.get(name, { abortSignal: signal })
          return provider.registrationState
        })
      if ((await state()) === 'Registered') return
      await call(what, signal, () => resources.providers.register(name, { abortSignal: signal }))
      while ((await state()) !== 'Registered' && clock.now() < end) await pause(clock, limits.pollMs, signal)
    }),
  )
}
