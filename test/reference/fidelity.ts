/**
 * `npm run fidelity [-- [--update] [--quiet] [AREA[/SCRIPT] …]]`: how much of the reference machine the emulator is.
 * Prints a table by area, and writes every difference with both answers to fidelity.diff. With --update it also writes
 * differences.txt, which the tests hold us to.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Table from 'cli-table3'
import { differenceKey, differencesFile } from './known.ts'
import { type Comparison, corpusScripts, replay } from './replay.ts'

const root = process.cwd()
const reference = join(root, 'test', 'reference')
const args = process.argv.slice(2)
const update = args.includes('--update')
const wanted = args.filter(arg => !arg.startsWith('--'))
const scripts = corpusScripts(reference).filter(
  script =>
    wanted.length === 0 ||
    wanted.some(name => script === name || script.startsWith(`${name}/`) || script.startsWith(`${name}-`)),
)

const all: Comparison[] = []
const scriptRows: string[] = []
for (const script of scripts) {
  const from = performance.now()
  const comparisons = await replay(reference, script)
  const seconds = (performance.now() - from) / 1000
  if (seconds > 5 || args.includes('--verbose')) process.stderr.write(`${script}: ${seconds.toFixed(1)} s\n`)
  all.push(...comparisons)
  const telling = comparisons.filter(c => c.telling)
  scriptRows.push(`${telling.filter(c => c.equal).length}/${telling.length} ${script}`)
}

const indent = (text: string, prefix: string): string => text.replace(/^(?=[^\n])/gm, prefix)
const diff = all
  .filter(c => !c.equal)
  .map(
    c =>
      `--- ${c.script} #${c.n}\n$ ${c.command}\n${indent(c.real, 'real     ')}${indent(c.emulated ?? '(not run)\n', 'emulated ')}`,
  )
writeFileSync(join(root, 'fidelity.diff'), diff.join(''))

const table = new Table({
  head: ['area', 'equal', 'telling', 'percent', 'all'],
  colAligns: ['left', 'right', 'right', 'right', 'right'],
  style: { head: [], border: [] },
})
const share = (part: number, whole: number): string => `${whole === 0 ? '100.0' : ((100 * part) / whole).toFixed(1)} %`
const row = (name: string, comparisons: readonly Comparison[]): void => {
  const telling = comparisons.filter(c => c.telling)
  const equal = telling.filter(c => c.equal).length
  table.push([
    name,
    equal,
    telling.length,
    share(equal, telling.length),
    `${comparisons.filter(c => c.equal).length}/${comparisons.length}`,
  ])
}
for (const area of [...new Set(scripts.map(script => script.split('/')[0]!))])
  row(
    area,
    all.filter(c => c.script.startsWith(`${area}/`)),
  )
row('total', all)
if (wanted.length > 0 || args.includes('--scripts')) process.stdout.write(`${scriptRows.join('\n')}\n`)
process.stdout.write(`${table.toString()}\n`)
const internal = all.filter(
  c => c.emulated?.includes('internal error') === true || c.emulated?.includes('emulator: ') === true,
)
process.stdout.write(`${internal.length} commands ended in an internal error\n`)
for (const c of internal.slice(0, 20)) process.stdout.write(`  ${c.script} #${c.n} $ ${c.command}\n`)
process.stdout.write(`${diff.length} differences are in fidelity.diff\n`)

if (update) {
  if (wanted.length > 0) throw new Error('--update needs the whole corpus')
  const keys = all.filter(c => !c.equal).map(c => differenceKey(c.script, c.n, c.command))
  writeFileSync(
    differencesFile(reference),
    `# Commands whose answers differ from the reference machine's. Made by npm run fidelity -- --update; it may only shrink.\n${keys.map(key => `${key}\n`).join('')}`,
  )
}
process.exit(0)
