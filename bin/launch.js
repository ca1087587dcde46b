/**
 * Starts a command from what is there: the built package, or the sources in a working copy.
 * Plain JavaScript for node 18 and newer, since whichever node the machine has may come here first; the work
 * itself needs the pinned one.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const neededMajor = 26
const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs the command named `bin` with this process's arguments. */
export function launch(bin) {
  if (Number(process.versions.node.split('.')[0]) < neededMajor) return goOnUnderPinnedNode(bin)
  // Not node's default place in /tmp: another user could put code there for us to run.
  module.enableCompileCache(
    join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tsmachine', 'compile'),
  )
  const built = existsSync(new URL('../dist/cli.js', import.meta.url))
  const entryOf = (path) => new URL(built ? `../dist/${path}.js` : `../src/${path}.ts`, import.meta.url)
  if (bin === 'tshost' && process.argv[2] === 'oci') {
    // Each call of an OCI runtime pays for what it loads, so this one goes without the command frame.
    void import(entryOf('engine/runtime/oci/main').href).then(async ({ runOci }) => {
      process.exitCode = await runOci(process.argv.slice(3))
    })
    return
  }
  // Not awaited: a reader that leaves early would turn the pending await into exit code 13.
  void import(entryOf('cli').href).then(({ runCli }) => runCli(bin))
}

function goOnUnderPinnedNode(bin) {
  const name = `node-${process.platform}-${process.arch}`
  const node = [join(root, 'node_modules', name), join(root, '..', name)]
    .map((folder) => join(folder, 'bin', 'node'))
    .find((path) => existsSync(path))
  if (!node) {
    console.error(`${bin}: needs node ${neededMajor} or newer, and this is ${process.versions.node}`)
    console.error(`  Install a newer node, or the npm package ${name} beside ${bin}.`)
    process.exitCode = 1
    return
  }
  const args = [node, join(root, 'bin', `${bin}.js`), ...process.argv.slice(2)]
  if (process.execve) process.execve(node, args, process.env)
  const child = spawn(node, args.slice(1), { stdio: 'inherit' })
  // A terminal's Ctrl-C reaches the child by itself; the parent has to live on until the child is done.
  for (const signal of ['SIGINT', 'SIGQUIT']) process.on(signal, () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
