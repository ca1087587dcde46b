#!/usr/bin/env node
/**
 * Stands in for the program VBoxManage: FAKE_VIRTUALBOX names the file of its state. With FAKE_VIRTUALBOX_KILL it
 * kills its caller at the call of that number, as "3 before" or "3 after" it did its work.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { fakeVBoxManage, newFakeVirtualBox, readFake } from './fake-virtualbox.ts'

const path = process.env.FAKE_VIRTUALBOX!
const [at, when] = (process.env.FAKE_VIRTUALBOX_KILL ?? '').split(' ')

// Calls of several machines at once come one after the other to the state, as they do to the real server.
for (;;) {
  try {
    mkdirSync(`${path}.lock`)
    break
  } catch {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
  }
}
const box = existsSync(path) ? readFake(path) : newFakeVirtualBox()
const log = `${path}.log`
const count = existsSync(log) ? readFileSync(log, 'utf8').split('\n').length : 1
appendFileSync(log, `${process.argv.slice(2).join(' ')}\n`)
const dies = Number(at) === count
if (dies && when === 'before') die()
const { code, stdout, stderr } = fakeVBoxManage(box, process.argv.slice(2))
writeFileSync(path, JSON.stringify(box))
if (dies) die()
rmdirSync(`${path}.lock`)
process.stdout.write(stdout)
process.stderr.write(stderr)
process.exitCode = code

function die(): never {
  rmdirSync(`${path}.lock`)
  process.kill(process.ppid, 'SIGKILL')
  process.exit(137)
}
