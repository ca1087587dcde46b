/**
 * What the three commands are: which folder of commands/ each one shows, its topics, its texts.
 * One package holds them all, with one list of commands (oclif.manifest.json, ids such as `machine:create`);
 * each command sees the part under its own folder, with that prefix cut off.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
// The parts of oclif one by one: its index loads 16 ms more.
import { Config, Plugin } from '@oclif/core/config'
import { ExitError } from '@oclif/core/errors'
import { flush } from '@oclif/core/flush'
import type { Manifest, OclifConfiguration, PJSON } from '@oclif/core/interfaces'
import { run } from '@oclif/core/run'
import { settings } from '@oclif/core/settings'
import { moveLeadingFlags } from './cli/leading-flags.ts'
import { manifestIsCurrent, pathsForSources } from './cli/manifest.ts'
import { protectProgramArgs } from './cli/pass-through.ts'
import { reportError } from './cli/report.ts'

interface Bin {
  folder: string
  description: string
  topics: Record<string, { description: string }>
}

const bins = {
  tsmachine: {
    folder: 'machine',
    description:
      'Makes container hosts, on this machine, out of your own over SSH, and in clouds, and joins them into a swarm.',
    topics: {},
  },
  tshost: {
    folder: 'host',
    description:
      'The container engine of this host: its daemon, and an OCI runtime command (tshost oci --help).',
    topics: {},
  },
  tsswarm: {
    folder: 'swarm',
    description: 'Places services on a swarm of hosts, and deploys stacks from Compose files.',
    topics: {
      node: { description: 'Manage the nodes of the swarm' },
      service: { description: 'Manage services' },
      stack: { description: 'Manage stacks' },
    },
  },
} satisfies Record<string, Bin>

export type BinName = keyof typeof bins

export const root = join(import.meta.dirname, '..')
const fromSources = import.meta.filename.endsWith('.ts')

/**
 * Runs one command line and sets the process's exit code; never rejects.
 * @param args the words after the command's own name
 */
export async function runCli(bin: BinName, args: string[] = process.argv.slice(2)): Promise<void> {
  // A reader that left (`tsmachine ls | head -1`) is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  try {
    const config = await loadConfig(bin)
    await run(protectProgramArgs(moveLeadingFlags(args, config), config), config)
    await flush()
  } catch (error) {
    process.exitCode = error instanceof ExitError ? error.oclif.exit : reportError(error, bin, args)
  }
}

/** What oclif has to know to show and run the commands of `bin`. */
export async function loadConfig(bin: BinName): Promise<Config> {
  // Node runs the sources by itself; oclif would look for tsx and ts-node.
  settings.enableAutoTranspile = false
  const { folder, description, topics } = bins[bin]
  const pjson = packageJson(bin, { bin, description, topics }, `${folder}/**/*`)
  const useManifest = !fromSources || (await manifestIsCurrent(root))
  const plugin = new Plugin({ root, pjson, isRoot: true, type: 'core', ignoreManifest: !useManifest })
  await plugin.load()
  if (fromSources) pathsForSources(plugin.manifest)
  plugin.commands = plugin.commands
    .filter((command) => command.id.startsWith(`${folder}:`))
    .map((command) => ({ ...command, id: command.id.slice(folder.length + 1) }))
  return Config.load({ root, pjson, plugins: new Map([[plugin.name, plugin]]) })
}

/** All commands of the package with everything that help needs, read afresh from the sources or from dist. */
export async function loadFreshManifest(): Promise<Manifest> {
  settings.enableAutoTranspile = false
  const plugin = new Plugin({
    root,
    pjson: packageJson('tsmachine', {}, '**/*'),
    isRoot: true,
    type: 'core',
    ignoreManifest: true,
    errorOnManifestCreate: true,
    respectNoCacheDefault: true,
  })
  await plugin.load()
  return plugin.manifest
}

function packageJson(name: string, oclif: Partial<OclifConfiguration>, glob: string): PJSON {
  const base = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PJSON
  const home = fromSources ? './src' : './dist'
  const extension = fromSources ? 'ts' : 'js'
  return {
    ...base,
    name,
    oclif: {
      ...base.oclif,
      ...oclif,
      dirname: 'tsmachine',
      topicSeparator: ' ',
      hooks: { command_not_found: `${home}/cli/command-not-found.${extension}` },
      commands: {
        strategy: 'pattern',
        target: `${home}/commands`,
        globPatterns: [`${glob}.${extension}`, '!**/*.d.ts'],
      },
    },
  }
}
