/** What `bridge` says to wrong words and to `help`, as the reference machine said it. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { main } from '../../../commands/bridge/main.ts'
import { link, readTranscript, runTool } from '../ip/fake.ts'

const steps = readTranscript(readFileSync(new URL('./recorded/wrong-words.transcript', import.meta.url), 'utf8'))
const links = ['lo', 'd0', 'd1', 'br0', 'v0', 'v1', 'v2', 'vx0', 'vx1'].map((name, i) => link(i + 1, name))

describe('wrong words', () => {
  for (const step of steps) {
    it(step.command, async () => {
      const got = await runTool(main, step.command.split(' '), { links })
      expect(got.stderr).toBe(step.stderr)
      expect(got.status).toBe(step.status)
    })
  }
})
