/** Runs the corpus: each script on an emulated machine, its transcript held against the reference machine's. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bootMachine } from '../../bin/boot.ts'
import { scriptMachine } from '../../src/lab/transcript.ts'
import { transcriptOf } from '../../src/lab/transcript_runner.ts'
import { normalize, parse } from './normalize.mjs'

/** One command of a script with both answers. */
export interface Comparison {
  /** AREA/SCRIPT */
  readonly script: string
  /** place in the script, from 1 */
  readonly n: number
  readonly command: string
  readonly real: string
  /** undefined where the emulated machine did not come to run it */
  readonly emulated: string | undefined
  readonly equal: boolean
  /** the real machine printed something or failed: an answer that can be wrong */
  readonly telling: boolean
}

/** @returns AREA/SCRIPT of every script that has a transcript, in order */
export function corpusScripts(reference: string): string[] {
  const corpus = join(reference, 'corpus')
  return readdirSync(corpus)
    .sort()
    .flatMap(area =>
      readdirSync(join(corpus, area))
        .filter(file => file.endsWith('.transcript'))
        .sort()
        .map(file => `${area}/${file.slice(0, -'.transcript'.length)}`),
    )
}

/**
 * Runs one script and compares.
 * @param seconds limit on the host's clock: a script that hangs is cut off there
 */
export async function replay(reference: string, script: string, seconds = 60): Promise<Comparison[]> {
  const path = join(reference, 'corpus', script)
  const text = readFileSync(`${path}.sh`, 'utf8')
  const real = parse(readFileSync(`${path}.transcript`, 'utf8'))
  const machine = bootMachine({ profile: scriptMachine(text), seed: 1 })
  const limit = setTimeout(() => machine.scheduler.abort(new Error(`cut off after ${seconds} s`)), seconds * 1000)
  let emulatedText = ''
  try {
    await transcriptOf(machine, text, step => {
      emulatedText += step
    })
  } catch (error) {
    emulatedText += `! emulator: ${error instanceof Error ? error.message : String(error)}\n`
  } finally {
    clearTimeout(limit)
  }
  const emulated = parse(emulatedText)
  return real.map((step, i) => {
    const mine = emulated[i]?.command === step.command ? emulated[i].answer : undefined
    return {
      script,
      n: i + 1,
      command: step.command,
      real: step.answer,
      emulated: mine,
      equal: mine !== undefined && normalize(mine) === normalize(step.answer),
      telling: step.answer !== '',
    }
  })
}
