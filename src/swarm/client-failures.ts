/**
 * What fails in the commands of tsswarm: Compose files, the way to a manager, waiting.
 */
import type { FailureTable } from '../shared/errors.ts'

export const clientFailures = {
  E_COMPOSE_MISSING: {
    kind: 'user',
    text: (p: { file: string; why: string }) => `${p.file} can't be read: ${p.why}`,
    next: () => 'Name a Compose file with -c FILE, or go to the folder that has a compose.yaml',
  },
  E_COMPOSE_SYNTAX: {
    kind: 'user',
    text: (p: { file: string; line: number; why: string }) => `${p.file}:${p.line}: ${p.why}`,
  },
  E_COMPOSE_KEY: {
    kind: 'user',
    text: (p: { file: string; line: number; key: string; near: string | undefined }) =>
      `${p.file}:${p.line}: ${p.key}: there is no such key${p.near ? `; did you mean ${p.near}?` : ''}`,
  },
  E_COMPOSE_INVALID: {
    kind: 'user',
    text: (p: { file: string; line: number; key: string; why: string }) =>
      `${p.file}:${p.line}: ${p.key ? `${p.key}: ` : ''}${p.why}`,
  },
  E_STACK_NAME: {
    kind: 'user',
    text: (p: { name: string }) =>
      `'${p.name}' can't be a stack's name: letters, digits, - and _, a letter or digit first`,
  },
  E_STACK_UNKNOWN: {
    kind: 'user',
    text: (p: { stack: string }) => `nothing found in stack: ${p.stack}`,
    next: () => 'See what there is: tsswarm stack ls',
  },
  E_NETWORK_MISSING: {
    kind: 'user',
    text: (p: { name: string }) =>
      `network ${p.name} is declared as external, but there is no network of that name in the swarm`,
    next: () => 'Make it before: docker network create -d overlay NAME',
  },
  E_PORT_PUBLISHED: {
    kind: 'user',
    text: (p: { service: string; port: string; other: string }) =>
      `${p.service}: port ${p.port} is published by service ${p.other} already`,
    next: () => 'Publish another port, or remove that service: tsswarm service rm NAME',
  },
  E_API_HOST: {
    kind: 'user',
    text: (p: { host: string }) => `'${p.host}' is no address of an engine: unix:///PATH or tcp://HOST:PORT`,
  },
  E_API_NOWHERE: {
    kind: 'user',
    text: () => 'no swarm manager is known',
    next: () => 'Name one with --host or DOCKER_HOST, or make one: tsmachine create --swarm manager NAME',
  },
  E_API_SEVERAL: {
    kind: 'user',
    text: (p: { names: string }) => `several machines are managers: ${p.names}`,
    next: () => 'Choose one: eval $(tsmachine env NAME)',
  },
  E_API_CERTIFICATE: {
    kind: 'user',
    text: (p: { path: string; why: string }) => `${p.path} can't be read: ${p.why}`,
    next: () => 'Set DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem',
  },
  E_API_UNREACHABLE: {
    kind: 'outside',
    retryable: true,
    text: (p: { url: string; why: string }) => `the engine at ${p.url} can't be reached: ${p.why}`,
    next: () => 'Is its daemon running?',
  },
  E_API_UNTRUSTED: {
    kind: 'user',
    text: (p: { url: string; why: string }) =>
      `the certificate of the engine at ${p.url} is not trusted: ${p.why}`,
    next: () =>
      'Its CA must be in ca.pem: in the folder DOCKER_CERT_PATH (~/.docker when not set), or in the docker context.',
  },
  E_API_REFUSED: {
    kind: 'user',
    text: (p: { message: string; status: number }) => p.message,
  },
  E_CONTEXT_UNKNOWN: {
    kind: 'user',
    text: (p: { name: string }) => `there is no docker context '${p.name}'`,
    next: () => 'See those that there are: docker context ls',
  },
  E_NOT_CONVERGED: {
    kind: 'outside',
    text: (p: { service: string; running: number; wanted: number; why: string; limit: string }) =>
      `${p.running} of ${p.wanted} tasks of ${p.service} run after ${p.limit}${p.why && `: ${p.why}`}`,
    next: () => 'It goes on in the background: tsswarm service ps NAME shows how',
  },
  E_UPDATE_STOPPED: {
    kind: 'outside',
    text: (p: { service: string; message: string }) => `${p.service}: ${p.message}`,
    next: () => 'See what failed: tsswarm service ps NAME',
  },
  E_TOKEN_MISSING: {
    kind: 'user',
    exit: 2,
    text: (p: { why: string }) => `no join token: ${p.why}`,
    next: () => 'A manager prints it: tsswarm join-token -q worker',
  },
  E_SCALE_INVALID: {
    kind: 'user',
    exit: 2,
    text: (p: { text: string }) => `'${p.text}' does not say how many: SERVICE=NUMBER`,
  },
  E_SCALE_MODE: {
    kind: 'user',
    text: (p: { ref: string }) => `${p.ref}: scale can only be used with replicated mode`,
  },
  E_FLAG_INVALID: {
    kind: 'user',
    exit: 2,
    text: (p: { flag: string; value: string; why: string }) => `--${p.flag} ${p.value}: ${p.why}`,
  },
} as const satisfies FailureTable
