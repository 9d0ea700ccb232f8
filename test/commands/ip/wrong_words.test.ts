/** What `ip` says to wrong words and to `help`, as the reference machine said it. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { link, readTranscript, runIp } from './fake.ts'

const RECORDED = ['wrong-words', 'wrong-words-links', 'help']
const steps = RECORDED.flatMap(name =>
  readTranscript(readFileSync(new URL(`./recorded/${name}.transcript`, import.meta.url), 'utf8')),
)
const links = ['lo', 'd0', 'd1', 'dum0', 'dum1', 'va', 'vb', 'v0', 'v1', 'v2', 'br0', 'vx0', 'vx1'].map((name, i) =>
  link(i + 1, name),
)

describe('wrong words', () => {
  for (const step of steps) {
    it(step.command, async () => {
      const got = await runIp(step.command.slice(3), { links })
      expect(got.stderr).toBe(step.stderr)
      expect(got.status).toBe(step.status)
    })
  }
})
