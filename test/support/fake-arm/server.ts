/**
 * The fake resource manager behind real HTTPS, with the place to sign in beside it: a token for any client that knows
 * the secret.
 */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { issueCertificate, makeCa } from '../../../src/shared/certificates.ts'
import type { FakeArm } from './arm.ts'

export interface ArmServer {
  url: string
  /** What it is signed by, PEM. */
  ca: string
  /** What clients sent along, one for each call. */
  tokens: string[]
  close: () => Promise<void>
}

export const clientSecret = 'not-a-secret-of-anybody'

export async function serveArm(arm: FakeArm): Promise<ArmServer> {
  const ca = await makeCa({ commonName: 'fake', lifeMs: 3_600_000 })
  const pair = await issueCertificate(ca, {
    commonName: 'localhost',
    sans: ['localhost', '127.0.0.1'],
    usage: ['server'],
    lifeMs: 3_600_000,
  })
  arm.scheme = 'https'
  const tokens: string[] = []
  const server = createServer({ cert: pair.cert, key: pair.key }, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString('utf8')
    const { url = '', method = '', headers } = request
    const signIn = answerSignIn(url, body, `https://${headers.host}`)
    if (signIn) {
      response.writeHead(signIn.status, { 'content-type': 'application/json' })
      return response.end(JSON.stringify(signIn.body))
    }
    tokens.push(headers.authorization ?? '')
    const answer = await arm.handle({ method, url, headers: headers as Record<string, string>, body })
    response.writeHead(answer.status, answer.headers)
    response.end(answer.body)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    ca: ca.cert,
    tokens,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections()
        server.close(() => done())
      }),
  }
}

function answerSignIn(url: string, body: string, base: string): { status: number; body: object } | undefined {
  const [, tenant, ...rest] = url.split(/[/?]/)
  const path = rest.join('/')
  if (path.startsWith('v2.0/.well-known/openid-configuration')) {
    const at = `${base}/${tenant}`
    return {
      status: 200,
      body: {
        issuer: `${at}/v2.0`,
        authorization_endpoint: `${at}/oauth2/v2.0/authorize`,
        token_endpoint: `${at}/oauth2/v2.0/token`,
        jwks_uri: `${at}/discovery/v2.0/keys`,
      },
    }
  }
  if (!path.startsWith('oauth2/v2.0/token')) return undefined
  if (new URLSearchParams(body).get('client_secret') !== clientSecret) {
    const description = 'AADSTS7000215: Invalid client secret provided.'
    return { status: 401, body: { error: 'invalid_client', error_description: description } }
  }
  return { status: 200, body: { token_type: 'Bearer', expires_in: 3600, access_token: 'a-token' } }
}
