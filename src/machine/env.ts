/**
 * The lines that make the docker command, or any other client, talk to a machine: for every shell that
 * docker-machine knew, in the same order.
 */
import { basename } from 'node:path'
import { fail } from './errors.ts'

export interface Shell {
  set: (name: string, value: string) => string
  unset: (name: string) => string
  /** Before a comment. */
  comment: string
  /** How to have the lines run; `command` is what was typed. */
  usage: (command: string) => string
}

const posix: Shell = {
  set: (name, value) => `export ${name}="${value}"`,
  unset: (name) => `unset ${name}`,
  comment: '#',
  usage: (command) => `eval $(${command})`,
}

const shells: Record<string, Shell> = {
  bash: posix,
  fish: {
    set: (name, value) => `set -gx ${name} "${value}";`,
    unset: (name) => `set -e ${name};`,
    comment: '#',
    usage: (command) => `eval (${command})`,
  },
  tcsh: {
    set: (name, value) => `setenv ${name} "${value}";`,
    unset: (name) => `unsetenv ${name};`,
    comment: ':',
    usage: (command) => `eval \`${command}\``,
  },
  powershell: {
    set: (name, value) => `$Env:${name} = "${value}"`,
    unset: (name) => `Remove-Item Env:\\\\${name}`,
    comment: '#',
    usage: (command) => `& ${command} | Invoke-Expression`,
  },
  cmd: {
    set: (name, value) => `SET ${name}=${value}`,
    unset: (name) => `SET ${name}=`,
    comment: 'REM',
    usage: (command) => `@FOR /f "tokens=*" %i IN ('${command}') DO @%i`,
  },
  emacs: {
    set: (name, value) => `(setenv "${name}" "${value}")`,
    unset: (name) => `(setenv "${name}" nil)`,
    comment: ';;',
    usage: (command) => `(with-temp-buffer (shell-command "${command}" (current-buffer)) (eval-buffer))`,
  },
}

/**
 * @param name --shell, else the name at the end of $SHELL; one that is unknown gets POSIX lines
 * @throws E_SHELL where there is neither
 */
export function shellNamed(
  name: string | undefined,
  shellVariable: string | undefined,
  platform: string,
): Shell {
  const found = name ?? (shellVariable ? basename(shellVariable) : platform === 'win32' ? 'cmd' : undefined)
  if (!found) throw fail('E_SHELL', {})
  return shells[found] ?? posix
}

export interface EnvOptions {
  name: string
  url: string
  /** Folder with ca.pem, cert.pem and key.pem. */
  certPath: string
  /** The host's address is added to NO_PROXY, in the spelling that is set already. */
  noProxy?: { variable: string; value: string }
  /** What was typed, for the hint. */
  command: string
}

export function envLines(shell: Shell, { name, url, certPath, noProxy, command }: EnvOptions): string[] {
  const variables: [string, string][] = [
    ['DOCKER_TLS_VERIFY', '1'],
    ['DOCKER_HOST', url],
    ['DOCKER_CERT_PATH', certPath],
    ['DOCKER_MACHINE_NAME', name],
  ]
  if (noProxy) variables.push([noProxy.variable, noProxy.value])
  return [...variables.map(([key, value]) => shell.set(key, value)), ...hint(shell, command)]
}

export function unsetLines(shell: Shell, noProxy: string | undefined, command: string): string[] {
  const names = ['DOCKER_TLS_VERIFY', 'DOCKER_HOST', 'DOCKER_CERT_PATH', 'DOCKER_MACHINE_NAME']
  if (noProxy) names.push(noProxy)
  return [...names.map((name) => shell.unset(name)), ...hint(shell, command)]
}

/** NO_PROXY or no_proxy, whichever is set, with the address in it once. */
export function noProxyWith(env: NodeJS.ProcessEnv, address: string): { variable: string; value: string } {
  const variable = env.no_proxy ? 'no_proxy' : 'NO_PROXY'
  const entries = (env[variable] ?? '').split(',').filter(Boolean)
  return { variable, value: [...entries.filter((entry) => entry !== address), address].join(',') }
}

function hint(shell: Shell, command: string): string[] {
  return [
    `${shell.comment} Run this command to configure your shell: `,
    `${shell.comment} ${shell.usage(command)}`,
  ]
}
