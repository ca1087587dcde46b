/**
 * The entry of the engine's one-file bundle, which goes to hosts: the daemon and the OCI command, without the
 * command frame.
 */
import { parseDaemonArgs } from './flags.ts'
import { reportFatal } from './main.ts'

const [command, ...args] = process.argv.slice(2)

if (command === 'oci') {
  const { runOci } = await import('../engine/runtime/oci/main.ts')
  process.exitCode = await runOci(args)
} else if (command === 'daemon') {
  try {
    const options = parseDaemonArgs(args)
    const { runDaemon } = await import('./main.ts')
    await runDaemon(options)
  } catch (error) {
    process.exitCode = reportFatal(error, args.includes('--debug') || args.includes('-D'))
  }
} else {
  process.stderr.write('usage: tshost daemon [flags] | tshost oci COMMAND\n')
  process.exitCode = 2
}
