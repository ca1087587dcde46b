import { describe, expect, test } from 'vitest'
import { envLines, noProxyWith, shellNamed, unsetLines } from '../../../src/machine/env.ts'

const options = {
  name: 'm1',
  url: 'tcp://192.168.200.2:2376',
  certPath: '/root/.tsmachine/certs',
  command: 'tsmachine env m1',
}

describe('env', () => {
  const firstLines: [string, string, string][] = [
    ['bash', 'export DOCKER_TLS_VERIFY="1"', '# eval $(tsmachine env m1)'],
    ['zsh', 'export DOCKER_TLS_VERIFY="1"', '# eval $(tsmachine env m1)'],
    ['unheard-of', 'export DOCKER_TLS_VERIFY="1"', '# eval $(tsmachine env m1)'],
    ['fish', 'set -gx DOCKER_TLS_VERIFY "1";', '# eval (tsmachine env m1)'],
    ['tcsh', 'setenv DOCKER_TLS_VERIFY "1";', ': eval `tsmachine env m1`'],
    ['powershell', '$Env:DOCKER_TLS_VERIFY = "1"', '# & tsmachine env m1 | Invoke-Expression'],
    ['cmd', 'SET DOCKER_TLS_VERIFY=1', `REM @FOR /f "tokens=*" %i IN ('tsmachine env m1') DO @%i`],
    [
      'emacs',
      '(setenv "DOCKER_TLS_VERIFY" "1")',
      ';; (with-temp-buffer (shell-command "tsmachine env m1" (current-buffer)) (eval-buffer))',
    ],
  ]
  for (const [shell, first, last] of firstLines) {
    test(shell, () => {
      const lines = envLines(shellNamed(shell, undefined, 'linux'), options)
      expect(lines[0]).toBe(first)
      expect(lines.at(-1)).toBe(last)
      expect(lines).toHaveLength(6)
    })
  }

  test('names the variables in the order of docker-machine', () => {
    expect(envLines(shellNamed('bash', undefined, 'linux'), options).slice(0, 4)).toEqual([
      'export DOCKER_TLS_VERIFY="1"',
      'export DOCKER_HOST="tcp://192.168.200.2:2376"',
      'export DOCKER_CERT_PATH="/root/.tsmachine/certs"',
      'export DOCKER_MACHINE_NAME="m1"',
    ])
  })

  test('unsets the same', () => {
    const shell = shellNamed('bash', undefined, 'linux')
    expect(unsetLines(shell, 'NO_PROXY', 'x').slice(0, 5)).toEqual([
      'unset DOCKER_TLS_VERIFY',
      'unset DOCKER_HOST',
      'unset DOCKER_CERT_PATH',
      'unset DOCKER_MACHINE_NAME',
      'unset NO_PROXY',
    ])
  })

  test('takes the shell from $SHELL, and says so where there is none', () => {
    expect(shellNamed(undefined, '/usr/bin/fish', 'linux').unset('A')).toBe('set -e A;')
    expect(shellNamed(undefined, undefined, 'win32').unset('A')).toBe('SET A=')
    expect(() => shellNamed(undefined, undefined, 'linux')).toThrow(
      expect.objectContaining({ code: 'E_SHELL' }),
    )
  })
})

describe('noProxyWith', () => {
  test('adds the address once, to the spelling in use', () => {
    expect(noProxyWith({}, '10.0.0.1')).toEqual({ variable: 'NO_PROXY', value: '10.0.0.1' })
    expect(noProxyWith({ no_proxy: 'a,10.0.0.1' }, '10.0.0.1')).toEqual({
      variable: 'no_proxy',
      value: 'a,10.0.0.1',
    })
  })
})
