import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const pages = [
  'README.md',
  'CHANGELOG.md',
  ...globSync('docs/**/*.md', { cwd: root }),
  ...globSync('templates/**/*.md', { cwd: root }),
]

describe.each(pages.sort())('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8')

  test('links to files and headings that are there', () => {
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(page, target))
    expect(broken).toEqual([])
  })

  test('names sources, tests and scripts that are there', () => {
    const named = [...text.matchAll(/(?<![\w/.-])(?:src|test|bin|bench|scripts|templates)\/[\w./*-]*\w/g)]
    // NAME and NOUN stand for any.
    const isThere = (path: string) => globSync(path.replace(/NAME|NOUN/, '*'), { cwd: root }).length > 0
    const missing = named.map(([path]) => path).filter((path) => !isThere(path))
    expect([...new Set(missing)]).toEqual([])
  })
})

function leadsSomewhere(page: string, target: string): boolean {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? join(root, page) : join(root, dirname(page), decodeURI(path))
  if (!existsSync(file)) return false
  return anchor === undefined || headingsOf(readFileSync(file, 'utf8')).has(anchor)
}

/** The anchors that GitHub makes of a page's headings. */
function headingsOf(text: string): Set<string> {
  const headings = text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm)
  return new Set(
    [...headings].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}
