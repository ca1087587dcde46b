import { describe, expect, test } from 'vitest'
import { formatTemplate } from '../../../src/machine/format.ts'

const data = { Name: 'm1', Driver: { IPAddress: '10.0.0.1', Ports: [1, 2], None: null } }

describe('formatTemplate', () => {
  const cases: [string, string][] = [
    ['{{.Name}}', 'm1'],
    ['{{ .Driver.IPAddress }}:{{.Name}}', '10.0.0.1:m1'],
    ['{{json .Driver}}', '{"IPAddress":"10.0.0.1","Ports":[1,2],"None":null}'],
    ['{{.Driver.Ports}}', '[1 2]'],
    ['{{.Driver.None}}', '<no value>'],
    ['{{json .Name}} {plain}', '"m1" {plain}'],
    ['no braces', 'no braces'],
  ]
  for (const [format, expected] of cases)
    test(format, () => expect(formatTemplate(format, data)).toBe(expected))

  test('prettyjson indents by four', () => {
    expect(formatTemplate('{{prettyjson .}}', { a: 1 })).toBe('{\n    "a": 1\n}')
  })

  for (const format of [
    '{{.Nope}}',
    '{{upper .Name}}',
    '{{range .X}}',
    '{{.Driver.IPAddress.x}}',
    '{{.constructor}}',
  ]) {
    test(`refuses ${format}`, () => {
      expect(() => formatTemplate(format, data)).toThrow(
        expect.objectContaining({ code: 'E_FORMAT', exit: 2 }),
      )
    })
  }
})
