/**
 * The clouds that are Azure: each has its own resource manager and its own place to sign in.
 */
import { fail } from '../../errors.ts'
import type { DriverOptions } from '../../record.ts'

export interface Cloud {
  endpoint: string
  authority: string
  /** What a token is asked for. */
  scope: string
}

/** By the names that docker-machine and the CLI use. The German cloud closed in 2021. */
const clouds: Record<string, Pick<Cloud, 'endpoint' | 'authority'>> = {
  AzurePublicCloud: {
    endpoint: 'https://management.azure.com',
    authority: 'https://login.microsoftonline.com',
  },
  AzureUSGovernmentCloud: {
    endpoint: 'https://management.usgovcloudapi.net',
    authority: 'https://login.microsoftonline.us',
  },
  AzureChinaCloud: {
    endpoint: 'https://management.chinacloudapi.cn',
    authority: 'https://login.chinacloudapi.cn',
  },
}

/** @throws E_OPTION for a cloud that is none, and an endpoint that tokens must not be sent to */
export function cloudOf(options: DriverOptions): Cloud {
  const name = String(options.environment ?? 'AzurePublicCloud')
  const cloud = Object.entries(clouds).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
  if (!cloud) {
    const known = Object.keys(clouds).join(', ')
    throw fail('E_OPTION', { option: '--azure-environment', why: `"${name}" is none of ${known}` })
  }
  const endpoint = String(options.endpoint ?? cloud.endpoint).replace(/\/$/, '')
  if (!URL.canParse(endpoint) || (!endpoint.startsWith('https://') && !isLoopback(endpoint)))
    throw fail('E_OPTION', { option: '--azure-endpoint', why: `"${endpoint}" is no https:// address` })
  return {
    endpoint,
    authority: process.env.AZURE_AUTHORITY_HOST ?? cloud.authority,
    scope: `${cloud.endpoint}/.default`,
  }
}

/** Plain HTTP on this machine itself: nobody is asked for a token then, and none is sent. */
export function isLoopback(endpoint: string): boolean {
  return /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(endpoint)
}
