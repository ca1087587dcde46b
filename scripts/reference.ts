/**
 * Writes docs/commands.md out of oclif.manifest.json. oclif's own generator (`oclif readme`) knows one command
 * for a package, the one of package.json; here one list of commands is shown as three.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '@oclif/core/command'
import { type BinName, loadConfig, root } from '../src/cli.ts'

type Cached = Command.Cached & { passThrough?: boolean }
type Flag = Cached['flags'][string]

const bins: BinName[] = ['tsmachine', 'tshost', 'tsswarm']
const fence = '```'
const head = `# Command reference

Written by \`npm run manifest\` from the commands themselves; do not edit it by hand. Every command prints the same with \`--help\`. Flags come after the command's name, before or after its arguments; of \`tsmachine ssh\`, all that follows NAME belongs to the command.
`

/** The whole page. */
export async function renderReference(): Promise<string> {
  const parts = [head]
  for (const bin of bins) parts.push(...(await renderBin(bin)))
  return parts.join('\n')
}

async function renderBin(bin: BinName): Promise<string[]> {
  const config = await loadConfig(bin)
  const commands = config.commands
    .map((command) => ({ name: [bin, ...command.id.split(':')].join(' '), command: command as Cached }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const list = commands.map(({ name, command }) => [link(name), command.summary ?? ''])
  return [
    `## ${bin}\n`,
    `${config.pjson.oclif.description}\n`,
    table(['command', 'what it does'], list),
    `Flags of every ${bin} command:\n`,
    flagTable(globalFlags(commands.map(({ command }) => command))),
    ...commands.flatMap(({ name, command }) => renderCommand(bin, name, command)),
  ]
}

function renderCommand(bin: string, name: string, command: Cached): string[] {
  const usage = [name, ...argumentWords(command), '[FLAGS]'].join(' ')
  const text = [command.summary, command.description].filter(Boolean).join(' ')
  const parts = [`### ${name}\n`, `${text}\n`, `${fence}\n${usage}\n${fence}\n`]
  const args = Object.values(command.args).map((arg) => [arg.name.toUpperCase(), arg.description ?? ''])
  if (args.length > 0) parts.push(table(['argument', 'meaning'], args))
  for (const [group, flags] of groupsOf(command)) {
    if (group) parts.push(`${group.charAt(0)}${group.slice(1).toLowerCase()}:\n`)
    parts.push(flagTable(flags))
  }
  const examples = (command.examples ?? []).map((example) => fill(String(example), bin, name))
  if (examples.length > 0) parts.push(`${fence}sh\n${examples.join('\n')}\n${fence}\n`)
  return parts
}

/** NAME, [NAME], [NAME...] */
function argumentWords(command: Cached): string[] {
  const words = Object.values(command.args).map(({ name, required }, i, all) => {
    const isMany = command.strict === false && !command.passThrough && i === all.length - 1
    const word = `${name.toUpperCase()}${isMany ? '...' : ''}`
    return required ? word : `[${word}]`
  })
  return command.passThrough ? [...words, '[COMMAND...]'] : words
}

/** Flags that all commands of a binary have stand once, above them. */
function globalFlags(commands: Cached[]): Flag[] {
  const [first, ...others] = commands
  const isShared = ({ name }: Flag) => others.every((command) => name in command.flags)
  return Object.values(first?.flags ?? {}).filter((flag) => isGlobal(flag) && isShared(flag))
}

/** oclif puts --json among the global flags, but only commands that print a list have it. */
function isGlobal({ helpGroup, name }: Flag): boolean {
  return helpGroup === 'GLOBAL' && name !== 'json'
}

/** The command's own flags, then those of each group. */
function groupsOf(command: Cached): [group: string, flags: Flag[]][] {
  const own = Object.values(command.flags).filter((flag) => !isGlobal(flag))
  const groups = Map.groupBy(own, ({ helpGroup = '', name }) => (name === 'json' ? '' : helpGroup))
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1))
}

function flagTable(flags: Flag[]): string {
  const sorted = [...flags].sort((a, b) => (a.name < b.name ? -1 : 1))
  return table(
    ['flag', 'meaning'],
    sorted.map((flag) => [spell(flag), meaning(flag)]),
  )
}

function spell(flag: Flag): string {
  const short = flag.char ? `-${flag.char}, ` : ''
  if (flag.type === 'boolean') return `\`${short}--${flag.allowNo ? '[no-]' : ''}${flag.name}\``
  return `\`${short}--${flag.name} ${flag.options?.join('|') ?? 'VALUE'}\``
}

function meaning(flag: Flag): string {
  const { summary = '', description = '' } = flag
  const parts = [summary, description === summary ? '' : description]
  const many = 'May be given many times.'
  if (flag.type === 'option' && flag.multiple && !summary.includes(many)) parts.push(many)
  if (flag.default !== undefined) parts.push(`Default: ${flag.default}.`)
  if (flag.env) parts.push(`Environment: \`${flag.env}\`.`)
  if (flag.dependsOn?.length) parts.push(`Only with ${flagNames(flag.dependsOn)}.`)
  if (flag.exclusive?.length) parts.push(`Not with ${flagNames(flag.exclusive)}.`)
  return parts.filter(Boolean).join(' ')
}

function flagNames(flags: readonly (string | { name: string })[]): string {
  return flags.map((flag) => `\`--${typeof flag === 'string' ? flag : flag.name}\``).join(', ')
}

function fill(example: string, bin: string, name: string): string {
  return example
    .replaceAll('<%= config.bin %>', bin)
    .replaceAll('<%= command.id %>', name.slice(bin.length + 1))
}

function link(name: string): string {
  return `[${name}](#${name.replaceAll(' ', '-')})`
}

function table(names: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(names), line(names.map(() => '---')), ...rows.map(line), ''].join('\n')
}

if (import.meta.main) {
  writeFileSync(join(root, 'docs/commands.md'), await renderReference())
  console.log('docs/commands.md: written')
}
