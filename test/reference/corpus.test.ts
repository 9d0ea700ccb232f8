/**
 * Each recorded script runs on an emulated machine and is held against its transcript. What differs today is listed in
 * differences.txt; a command outside that list that differs fails, and so does a listed one that is equal now.
 */
import { describe, expect, it } from 'vitest'
import { differenceKey, REFERENCE, readDifferences } from './known.ts'
import { corpusScripts, replay } from './replay.ts'

const listed = readDifferences(REFERENCE)

describe('the corpus of the reference machine', () => {
  it.each(corpusScripts(REFERENCE))('%s', async script => {
    const comparisons = await replay(REFERENCE, script)
    const wrong: string[] = []
    for (const { n, command, equal, real, emulated } of comparisons) {
      const known = listed.has(differenceKey(script, n, command))
      if (!equal && !known)
        wrong.push(`differs, and is not listed:\n$ ${command}\nreal\n${real}emulated\n${emulated ?? '(not run)\n'}`)
      if (equal && known) wrong.push(`is equal now; take it off the list (npm run fidelity -- --update):\n$ ${command}`)
    }
    expect(wrong).toEqual([])
    expect(comparisons.filter(c => /internal error|^! emulator: /m.test(c.emulated ?? ''))).toEqual([])
  })
})
