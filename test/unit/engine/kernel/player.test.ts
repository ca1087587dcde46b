import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { archs } from '../../../../src/engine/kernel/arch.ts'
import { sourceOf } from '../../../../src/engine/kernel/player/player.ts'
import { titled, which } from '../../../support/needs.ts'

const tools = {
  x64: { as: 'as', objcopy: 'objcopy', head: '.intel_syntax noprefix\n' },
  arm64: { as: 'aarch64-linux-gnu-as', objcopy: 'aarch64-linux-gnu-objcopy', head: '' },
}

describe.each(['x64', 'arm64'] as const)("the player's listing for %s", (name) => {
  const { as, objcopy, head } = tools[name]
  const reason = which(as) ? undefined : `needs ${as}`

  it.skipIf(reason)(titled('is what its bytes say, for an assembler that is not ours', reason), () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsmachine-player-'))
    try {
      const source = join(folder, 'player.s')
      writeFileSync(source, `${head}${sourceOf(archs[name]!.listing(0x612340))}\n`)
      execFileSync(as, ['-o', join(folder, 'player.o'), source])
      execFileSync(objcopy, [
        '-O',
        'binary',
        '-j',
        '.text',
        join(folder, 'player.o'),
        join(folder, 'player.bin'),
      ])
      expect(archs[name]!.player(0x612340).toString('hex')).toBe(
        readFileSync(join(folder, 'player.bin')).toString('hex'),
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
