/** Numbers with suffixes, as the utilities read them (xstrtoumax). */

const SUFFIXES: Readonly<Record<string, number>> = {
  '': 1,
  b: 512,
  k: 1024,
  K: 1024,
  KiB: 1024,
  kB: 1000,
  KB: 1000,
  M: 1024 ** 2,
  MiB: 1024 ** 2,
  MB: 1000 ** 2,
  m: 1024 ** 2,
  G: 1024 ** 3,
  GiB: 1024 ** 3,
  GB: 1000 ** 3,
  T: 1024 ** 4,
  TiB: 1024 ** 4,
  TB: 1000 ** 4,
  P: 1024 ** 5,
  PB: 1000 ** 5,
  E: 1024 ** 6,
  EB: 1000 ** 6,
}

/** @returns a count such as `10`, `4K`, `1MB`; undefined where it is none */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)([A-Za-z]*)$/.exec(text)
  if (match === null) return undefined
  const unit = SUFFIXES[match[2]!]
  return unit === undefined ? undefined : Number(match[1]) * unit
}
