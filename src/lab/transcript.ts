/**
 * Transcripts: a script run line by line in one shell, and what each line answered, in the format of
 * test/reference/FORMAT.md. The same format is written by the recorder of the reference machine, so that two
 * transcripts can be held against each other.
 */

/** One command of a transcript with what it printed and how it ended. */
export interface TranscriptStep {
  readonly command: string
  readonly stdout: string
  readonly stderr: string
  readonly status: number
}

/** @returns the commands of a script: its lines without blank ones and comments */
export function scriptCommands(script: string): string[] {
  return script.split('\n').filter(line => line !== '' && !line.startsWith('#'))
}

/** @returns which machine a script asks for by `#: machine NAME` in its first five lines */
export function scriptMachine(script: string): 'bare' | 'nic' {
  return script.split('\n', 5).some(line => /^#: machine nic\b/.test(line)) ? 'nic' : 'bare'
}

function prefixed(prefix: string, text: string): string {
  if (text === '') return ''
  const whole = text.endsWith('\n')
  const lines = (whole ? text.slice(0, -1) : text).split('\n').map(line => `${prefix}${line}\n`)
  return lines.join('') + (whole ? '' : '\\\n')
}

/** @returns the lines of one step */
export function formatStep(step: TranscriptStep): string {
  return (
    `$ ${step.command}\n` +
    prefixed('| ', step.stdout) +
    prefixed('! ', step.stderr) +
    (step.status === 0 ? '' : `? ${step.status}\n`)
  )
}
