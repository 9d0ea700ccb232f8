/** `startup`: wall time of `linnet -c true` as a whole process, against bare `node -e 0`, in turn. */
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Figure } from './main.ts'

const ROUNDS = 15

function run(args: readonly string[]): number {
  const from = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`)
  return performance.now() - from
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

/** @returns the median of both and the median of the ratios pair by pair */
export async function startup(): Promise<Figure> {
  const linnet = join(dirname(fileURLToPath(import.meta.url)), '..', 'linnet.cjs')
  const ours: number[] = []
  const bare: number[] = []
  run([linnet, '-c', 'true'])
  for (let i = 0; i < ROUNDS; i++) {
    bare.push(run(['-e', '0']))
    ours.push(run([linnet, '-c', 'true']))
  }
  return {
    value: Number(median(ours).toFixed(1)),
    unit: 'ms',
    against: { what: 'node -e 0', value: Number(median(bare).toFixed(1)) },
    ratio: Number(median(ours.map((ms, i) => ms / bare[i]!)).toFixed(3)),
  }
}
