/** Layers for tests: unpacked in a folder of their own, and mounted over one another. */
import { execFileSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { digestOf } from '../../src/engine/images/digest.ts'
import { defaultLimits, type UnpackLimits } from '../../src/engine/images/layers/limits.ts'
import { type Unpacked, unpackLayer } from '../../src/engine/images/layers/unpack.ts'

/** A folder with layers `0`, `1`, ... lowest first. */
export class LayerBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'tsmachine-layers-'))
  readonly names: string[] = []
  #mounted: string[] = []

  /** Unpacks one more layer over those that are there. @param packed the tar as it would be stored */
  async add(tar: Buffer, limits: Partial<UnpackLimits> = {}, packed = tar): Promise<Unpacked> {
    const name = String(this.names.length)
    const blob = join(this.folder, `blob-${name}`)
    writeFileSync(blob, packed)
    const unpacked = await unpackLayer({
      blob,
      blobDigest: digestOf(packed),
      diffId: digestOf(tar),
      folder: join(this.folder, name),
      lower: this.names.toReversed().map((n) => join(this.folder, n)),
      limits: { ...defaultLimits, ...limits },
    })
    this.names.push(name)
    return unpacked
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  /** Mounts all layers by their relative names, read-only, and returns the folder. */
  mount(): string {
    const at = this.path(`mount-${this.#mounted.length}`)
    mkdirSync(at)
    // overlayfs wants two layers at least.
    mkdirSync(this.path('empty'), { recursive: true })
    const lower = [...this.names.toReversed(), 'empty'].join(':')
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=${lower}`, at], { cwd: this.folder })
    this.#mounted.push(at)
    return at
  }

  [Symbol.dispose](): void {
    for (const at of this.#mounted) execFileSync('umount', [at])
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Every path below a folder, with what it is: "d", "l TARGET", "c MAJOR:MINOR", "p" or the file's text. */
export function treeOf(root: string, at = ''): Record<string, string> {
  const tree: Record<string, string> = {}
  for (const name of readdirSync(join(root, at)).sort()) {
    const path = at ? `${at}/${name}` : name
    const stat = lstatSync(join(root, path))
    if (stat.isDirectory()) Object.assign(tree, { [path]: 'd' }, treeOf(root, path))
    else if (stat.isSymbolicLink()) tree[path] = `l ${readlinkSync(join(root, path))}`
    else if (stat.isCharacterDevice()) tree[path] = `c ${stat.rdev >> 8}:${stat.rdev & 255}`
    else if (stat.isFIFO()) tree[path] = 'p'
    else tree[path] = stat.isFile() ? readFileSync(join(root, path), 'utf8') : '?'
  }
  return tree
}
