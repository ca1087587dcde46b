/**
 * The engine's bundle: the pinned node for the host's architecture, the engine in one file, and koffi's native
 * part. Named by the digests of its parts, so that what a host has already is never sent again.
 */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip, createZstdCompress } from 'node:zlib'
import type { Plugin } from 'esbuild'
import { messageOf } from '../../shared/errors.ts'
import { makePrivateFolder, readIfThere, writeFileAtomic } from '../../shared/files.ts'
import { fail } from '../errors.ts'
import { type Arch, atomicLibrary } from './probe.ts'

/** A file of the bundle. */
export interface Part {
  name: string
  /** Where it is on this machine. */
  path: string
  sha256: string
  bytes: number
}

export interface Bundle {
  /** SHA-256 over the names and digests of the parts. */
  digest: string
  parts: Part[]
}

export interface BundleOptions {
  /** Source files of the engine by the name of their output: `tshost.mjs`, and its worker threads if any. */
  engineEntries: Record<string, string>
  arch: Arch
  /** Folder for what was built and compressed, kept by content. */
  cache: string
}

/** @throws E_BUNDLE */
export async function buildBundle({ engineEntries, arch, cache }: BundleOptions): Promise<Bundle> {
  await makePrivateFolder(cache)
  const node = nativeFile(`node-linux-${arch}`, 'bin/node')
  const koffi = nativeFile(`@koromix/koffi-linux-${arch}`, `linux_${arch}/koffi.node`)
  const engine = await buildEngine(engineEntries, cache)
  const files = { node, 'koffi.node': koffi, ...ownLibraries(arch), ...engine }
  const parts = await Promise.all(
    Object.entries(files).map(async ([name, path]): Promise<Part> => {
      return { name, path, ...(await digestOf(path, cache)) }
    }),
  )
  parts.sort((a, b) => (a.name < b.name ? -1 : 1))
  const digest = createHash('sha256')
  for (const { name, sha256 } of parts) digest.update(`${sha256}  ${name}\n`)
  return { digest: digest.digest('hex'), parts }
}

export type Compression = 'zstd' | 'gzip'

/** zstd takes a third of gzip's time for less; hosts often lack its command. */
const compressors = {
  gzip: () => createGzip({ level: 1 }),
  zstd: () => createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
}

/**
 * The part in compressed form; compressed once and kept.
 * @returns the file's path
 */
export async function compressPart(part: Part, compression: Compression, cache: string): Promise<string> {
  const path = join(cache, `${part.sha256}.${compression}`)
  if (existsSync(path)) return path
  // Several machines may be worked on at once, in this process as in others: each has a file of its own.
  const temporary = `${path}.${process.pid}.${temporaryCount++}`
  try {
    const source = createReadStream(part.path, { highWaterMark: 1024 * 1024 })
    await pipeline(source, compressors[compression](), createWriteStream(temporary, { mode: 0o600 }))
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
  return path
}

/**
 * Libraries that node needs and a bare Debian lacks, taken from this machine, whose own node needs them too. A
 * host of another architecture must have them itself.
 */
function ownLibraries(arch: Arch): Record<string, string> {
  if (arch !== process.arch) return {}
  const path = libraryFolders.map((folder) => join(folder, atomicLibrary)).find((file) => existsSync(file))
  return path === undefined ? {} : { [atomicLibrary]: path }
}

/** Where the loader looks on Debian, on Red Hat's systems, and elsewhere. */
const libraryFolders = [
  ...({ x64: ['/lib/x86_64-linux-gnu'], arm64: ['/lib/aarch64-linux-gnu'] }[process.arch as Arch] ?? []),
  '/lib64',
  '/usr/lib64',
  '/usr/lib',
]

let temporaryCount = 0

/** A file of an optional npm package, which is there where its system and architecture fit. */
function nativeFile(name: string, file: string): string {
  try {
    const path = join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), file)
    if (existsSync(path)) return path
  } catch (error) {
    throw fail('E_BUNDLE', { why: `the npm package ${name} is not installed` }, error)
  }
  throw fail('E_BUNDLE', { why: `the npm package ${name} has no ${file}` })
}

/** The engine's outputs by name; built anew each time, since that is quicker than finding out whether to. */
async function buildEngine(entries: Record<string, string>, cache: string): Promise<Record<string, string>> {
  const { build } = await import('esbuild')
  const folder = join(cache, 'engine')
  await mkdir(folder, { recursive: true })
  const result = await build({
    entryPoints: Object.entries(entries).map(([out, path]) => ({ in: path, out: out.replace(/\.mjs$/, '') })),
    outdir: folder,
    // Names of sources are in the output, seen from here: not from wherever the user stands.
    absWorkingDir: packageRoot,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    write: false,
    logLevel: 'silent',
    // Bundled CommonJS modules call require for node's own ones.
    banner: {
      js: `import { createRequire as bundleRequire } from 'node:module'
const require = bundleRequire(import.meta.url)`,
    },
    define: { 'globalThis.TSMACHINE_VERSION': JSON.stringify(packageVersion()) },
    plugins: [nativeKoffi],
  }).catch((error: unknown) => {
    throw fail('E_BUNDLE', { why: messageOf(error).split('\n').slice(0, 2).join(' ') }, error)
  })
  const outputs: Record<string, string> = {}
  for (const file of result.outputFiles) {
    const sha256 = createHash('sha256').update(file.contents).digest('hex')
    const path = join(folder, sha256)
    if (!existsSync(path)) await writeFileAtomic(path, file.contents)
    outputs[file.path.slice(folder.length + 1)] = path
  }
  return outputs
}

const packageRoot = join(import.meta.dirname, '../../..')

/** The package.json above this file, in src as in dist. */
function packageVersion(): string {
  return (createRequire(import.meta.url)('../../../package.json') as { version: string }).version
}

/** koffi looks for its native part in node_modules; in the bundle it lies beside the script. */
const nativeKoffi: Plugin = {
  name: 'native-koffi',
  setup(build) {
    build.onResolve({ filter: /^koffi$/ }, () => ({ path: 'koffi', namespace: 'native-koffi' }))
    build.onLoad({ filter: /.*/, namespace: 'native-koffi' }, () => ({
      contents: `import { createRequire } from 'node:module'
export default createRequire(import.meta.url)('./koffi.node')`,
      loader: 'js',
    }))
  },
}

/** Digest and size of a file; remembered by its path, size and time, since node is 150 MB. */
async function digestOf(path: string, cache: string): Promise<{ sha256: string; bytes: number }> {
  const { size, mtimeMs } = await stat(path)
  const key = createHash('sha256').update(`${path} ${size} ${mtimeMs}`).digest('hex')
  const memo = join(cache, `digest-${key.slice(0, 16)}`)
  const known = await readIfThere(memo)
  if (known) return { sha256: known.trim(), bytes: size }
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }))
    hash.update(chunk as Buffer)
  const sha256 = hash.digest('hex')
  await writeFileAtomic(memo, `${sha256}\n`)
  return { sha256, bytes: size }
}
