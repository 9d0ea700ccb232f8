/**
 * `npm run bench [-- --only NAME,…] [-- --json]`: each benchmark's figure, and what it is held against.
 * With --json one object `{name: {value, unit, against?, ratio?}}` on standard output.
 */
import { forward } from './forward.ts'
import { startup } from './startup.ts'

/** What a benchmark found. */
export interface Figure {
  readonly value: number
  readonly unit: string
  /** the same of what it is compared with */
  readonly against?: { readonly what: string; readonly value: number }
  /** value divided by the other */
  readonly ratio?: number
  /** further facts for the reader */
  readonly note?: string
}

/** The benchmarks by name, in the order they run. */
const BENCHMARKS: Readonly<Record<string, () => Promise<Figure>>> = {
  startup,
  forward: async () => {
    const { packetsPerSecond, received, heapGrowth } = await forward(1_000_000)
    return {
      value: Math.round(packetsPerSecond),
      unit: 'packets/s',
      note: `${received} received, heap grew by ${(heapGrowth / 2 ** 20).toFixed(1)} MiB`,
    }
  },
}

const args = process.argv.slice(2)
const json = args.includes('--json')
const onlyAt = args.indexOf('--only')
const only = onlyAt >= 0 ? (args[onlyAt + 1] ?? '').split(',') : Object.keys(BENCHMARKS)
const unknown = only.filter(name => !(name in BENCHMARKS))
if (unknown.length > 0) {
  process.stderr.write(
    `bench: there is no benchmark '${unknown[0]}' (there are ${Object.keys(BENCHMARKS).join(', ')})\n`,
  )
  process.exit(2)
}
const results: Record<string, Figure> = {}
for (const name of Object.keys(BENCHMARKS)) {
  if (!only.includes(name)) continue
  const figure = await BENCHMARKS[name]!()
  results[name] = figure
  if (json) continue
  const against =
    figure.against === undefined
      ? ''
      : `  against ${figure.against.what} ${figure.against.value} ${figure.unit}, ratio ${figure.ratio?.toFixed(2)}`
  process.stdout.write(
    `${name.padEnd(10)} ${String(figure.value).padStart(10)} ${figure.unit}${against}${figure.note === undefined ? '' : `  (${figure.note})`}\n`,
  )
}
if (json) process.stdout.write(`${JSON.stringify(results)}\n`)
process.exit(0)
