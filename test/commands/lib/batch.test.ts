/** Lines of command files. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitWords } from '../../../commands/lib/batch.ts'
import { ToolExit } from '../../../commands/lib/errors.ts'

const plain = fc
  .string({ unit: fc.constantFrom('a', '/', '-', ':', '#', '"', "'"), minLength: 1 })
  .filter(word => !/^["']/.test(word))
const quotable = fc.string({ unit: fc.constantFrom('a', ' ', '\t', '-', "'") })

describe('a line of a batch', () => {
  it('is words between blanks, or between quotes', () => {
    const word = fc.oneof(
      plain.map(text => [text, text] as const),
      quotable.map(text => [`"${text}"`, text] as const),
    )
    const blanks = fc.constantFrom(' ', '  ', '\t', ' \t ')
    fc.assert(
      fc.property(fc.array(fc.tuple(word, blanks)), list => {
        const line = list.map(([[written], blank]) => written + blank).join('')
        expect(splitWords(line)).toEqual(list.map(([[, meant]]) => meant))
      }),
    )
  })

  it('must close its quotes', () => {
    expect(() => splitWords('link set "a b')).toThrow(ToolExit)
  })
})
