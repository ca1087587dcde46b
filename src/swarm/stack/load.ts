/**
 * Compose files -> one content, checked and with variables filled in.
 */
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { readIfThere } from '../../shared/files.ts'
import { fail } from '../errors.ts'
import { parseEnvFile } from './env-file.ts'
import type { Variables } from './interpolate.ts'
import { mergeContents } from './merge.ts'
import { type Path, type Place, SourceFile } from './source.ts'
import { validate } from './validate.ts'

export interface ComposeContent {
  /** As the file has it, by service and so on. */
  content: Record<string, unknown>
  /** Paths in it are relative to this folder. */
  folder: string
  variables: Variables
  /** Where a key stands: in the last of the files that has it. */
  place(path: Path): Place
  /** One line each. */
  warnings: string[]
}

/** Names that are looked for when no file is given, as docker compose does. */
const defaultFiles = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml']

/**
 * @param files paths, "-" for standard input; none: the default names in `cwd`
 * @param environment comes before what .env beside the first file says
 * @throws E_COMPOSE_*
 */
export async function loadCompose(
  files: string[],
  environment: Variables,
  cwd: string = process.cwd(),
): Promise<ComposeContent> {
  const named = files.length > 0 ? files : [await findDefault(cwd)]
  const texts = await Promise.all(named.map((file) => readText(file, cwd)))
  const folder = named[0] === '-' ? cwd : dirname(resolve(cwd, named[0]!))
  const variables = { ...(await readDotEnv(folder, environment)), ...environment }
  const sources = texts.map((text, i) => new SourceFile(named[i]!, text))
  const unset = new Map<string, Place>()
  const contents = sources.map((source) => {
    const content = source.content(variables, (name, place) => unset.set(name, place))
    validate(source, content)
    return content as Record<string, unknown>
  })
  const content = contents.reduce(mergeContents)
  const parts = sources.map((source, i) => ({ source, content: contents[i]! }))
  return {
    content,
    folder,
    variables,
    place: (path) => placeOf(parts, content, path),
    warnings: [...unset].map(
      ([name, { file, line }]) =>
        `${file}:${line}: variable ${name} is not set; an empty text stands in for it`,
    ),
  }
}

/** The stack's name when none is given: the file's `name`, else its folder's, in letters that names may have. */
export function defaultStackName({ content, folder }: Pick<ComposeContent, 'content' | 'folder'>): string {
  if (typeof content.name === 'string' && content.name !== '') return content.name
  return basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '')
}

async function findDefault(cwd: string): Promise<string> {
  for (const file of defaultFiles) if ((await readIfThere(join(cwd, file))) !== undefined) return file
  throw fail('E_COMPOSE_MISSING', { file: defaultFiles[0]!, why: `there is no such file in ${cwd}` })
}

/** What no YAML file has in it, and every file that is no text. */
const controlCharacter = /[^\P{Cc}\t\n\r\u0085]/u

async function readText(file: string, cwd: string): Promise<string> {
  const text = await readOrFail(file, cwd)
  if (controlCharacter.test(text)) throw fail('E_COMPOSE_MISSING', { file, why: 'it is not a text file' })
  return text
}

async function readOrFail(file: string, cwd: string): Promise<string> {
  try {
    return await readFile(file === '-' ? '/dev/stdin' : resolve(cwd, file), 'utf8')
  } catch (error) {
    const reasons: Record<string, string> = { ENOENT: 'there is no such file', EISDIR: 'it is a folder' }
    throw fail('E_COMPOSE_MISSING', { file, why: reasons[errnoOf(error) ?? ''] ?? messageOf(error) }, error)
  }
}

async function readDotEnv(folder: string, environment: Variables): Promise<Variables> {
  const file = join(folder, '.env')
  const text = await readIfThere(file)
  if (text === undefined) return {}
  try {
    return Object.fromEntries(parseEnvFile(text, environment))
  } catch (error) {
    throw fail('E_COMPOSE_MISSING', { file, why: messageOf(error) }, error)
  }
}

function placeOf(parts: { source: SourceFile; content: unknown }[], merged: unknown, path: Path): Place {
  for (let length = path.length; length > 0; length--) {
    for (const { source, content } of parts.toReversed()) {
      const own = ownPath(content, merged, path.slice(0, length))
      if (own && source.has(own)) return { file: source.file, line: source.lineOf(own) }
    }
  }
  return { file: parts.at(-1)!.source.file, line: 1 }
}

/** A path of the merged content as one file has it, where an item's place in its list may be another. */
function ownPath(content: unknown, merged: unknown, path: Path): Path | undefined {
  let [own, whole] = [content, merged]
  const found: Path = []
  for (const key of path) {
    const wanted = JSON.stringify((whole as Record<string, unknown> | undefined)?.[key])
    const isList = typeof key === 'number' && Array.isArray(own)
    const at = isList ? placeInList(own as unknown[], key, wanted) : key
    if (at === undefined) return undefined
    found.push(at)
    own = (own as Record<string, unknown> | undefined)?.[at]
    whole = (whole as Record<string, unknown> | undefined)?.[key]
  }
  return found
}

function placeInList(list: unknown[], index: number, wanted: string): number | undefined {
  if (JSON.stringify(list[index]) === wanted) return index
  const found = list.findIndex((item) => JSON.stringify(item) === wanted)
  return found < 0 ? undefined : found
}
