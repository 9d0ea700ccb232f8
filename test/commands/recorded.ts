/** Recordings of the reference machine, for tests: a command and what it printed. */
import { readFileSync } from 'node:fs'

/** One command of a recording. */
export interface RecordedStep {
  readonly command: string
  readonly stdout: string
  readonly stderr: string
  readonly status: number
}

/** Reads a transcript. A last line without its newline is followed by a line with a backslash. */
export function readTranscript(url: URL): RecordedStep[] {
  const steps: { command: string; stdout: string; stderr: string; status: number }[] = []
  for (const line of readFileSync(url, 'utf8').split('\n')) {
    const step = steps.at(-1)
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), stdout: '', stderr: '', status: 0 })
    else if (line.startsWith('| ')) step!.stdout += `${line.slice(2)}\n`
    else if (line.startsWith('! ')) step!.stderr += `${line.slice(2)}\n`
    else if (line === '\\' && step !== undefined) step.stdout = step.stdout.replace(/\n$/, '')
    else if (line.startsWith('? ')) step!.status = Number(line.slice(2))
  }
  return steps
}
