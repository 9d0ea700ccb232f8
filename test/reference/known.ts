/**
 * The list of commands whose answers differ from the reference machine's today: test/reference/differences.txt, one a
 * line, `AREA/SCRIPT #N COMMAND`. `npm run fidelity -- --update` writes it anew; it may only shrink.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** @returns the list's file below a folder that holds the reference */
export function differencesFile(reference: string): string {
  return join(reference, 'differences.txt')
}

/** This folder, as tests see it. */
export const REFERENCE = fileURLToPath(new URL('.', import.meta.url))

/** @returns the key of a command in the list */
export function differenceKey(script: string, n: number, command: string): string {
  return `${script} #${n} ${command}`
}

/** @returns the listed keys */
export function readDifferences(reference: string): Set<string> {
  const text = readFileSync(differencesFile(reference), 'utf8')
  return new Set(text.split('\n').filter(line => line !== '' && !line.startsWith('# ')))
}
