/** Orders of sort(1) and ls: numeric, human, general, month and version. */

const NUMBER = /^[ \t]*(-?)(\d*)(?:\.(\d*))?/

/** Compares numbers as text, of any length. */
export function compareNumeric(a: string, b: string): number {
  const left = NUMBER.exec(a)!
  const right = NUMBER.exec(b)!
  const zero = (match: RegExpExecArray): boolean => /^0*$/.test(match[2]!) && /^0*$/.test(match[3] ?? '')
  const signLeft = left[1] === '-' && !zero(left) ? -1 : 1
  const signRight = right[1] === '-' && !zero(right) ? -1 : 1
  if (signLeft !== signRight) return signLeft
  const magnitude = compareDigits(left[2]!, right[2]!) || compareFraction(left[3] ?? '', right[3] ?? '')
  return signLeft * magnitude
}

function compareDigits(a: string, b: string): number {
  const left = a.replace(/^0+/, '')
  const right = b.replace(/^0+/, '')
  if (left.length !== right.length) return left.length < right.length ? -1 : 1
  return left < right ? -1 : left > right ? 1 : 0
}

function compareFraction(a: string, b: string): number {
  const length = Math.max(a.length, b.length)
  const left = a.padEnd(length, '0')
  const right = b.padEnd(length, '0')
  return left < right ? -1 : left > right ? 1 : 0
}

const UNITS = 'KMGTPEZY'

function unitOrder(text: string): number {
  const match = /^[ \t]*-?\d*(?:\.\d*)?([KkMGTPEZY])?/.exec(text)!
  const digits = /[1-9]/.test(/^[ \t]*-?[\d.]*/.exec(text)![0])
  if (!digits) return 0
  const order = match[1] === undefined ? 0 : UNITS.indexOf(match[1].toUpperCase()) + 1
  return /^[ \t]*-/.test(text) ? -order : order
}

/** Compares sizes such as 2K and 1G. */
export function compareHuman(a: string, b: string): number {
  return Math.sign(unitOrder(a) - unitOrder(b)) || compareNumeric(a, b)
}

/** Compares floating-point numbers; what is none comes first. */
export function compareGeneral(a: string, b: string): number {
  const read = (text: string): number | undefined => {
    const match = /^[ \t]*([+-]?(?:inf(?:inity)?|nan|0x[0-9a-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?))/i.exec(text)
    if (match === null) return undefined
    const word = match[1]!.toLowerCase()
    if (word.includes('inf')) return word.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
    return word.includes('nan') ? Number.NaN : Number(word)
  }
  const left = read(a)
  const right = read(b)
  if (left === undefined || right === undefined) return left === right ? 0 : left === undefined ? -1 : 1
  if (Number.isNaN(left) || Number.isNaN(right))
    return Number.isNaN(left) && Number.isNaN(right) ? 0 : Number.isNaN(left) ? -1 : 1
  return left < right ? -1 : left > right ? 1 : 0
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']

/** Compares months by their first three letters; what is none comes first. */
export function compareMonth(a: string, b: string): number {
  const month = (text: string): number =>
    MONTHS.indexOf(
      text
        .replace(/^[ \t]+/, '')
        .slice(0, 3)
        .toUpperCase(),
    )
  return Math.sign(month(a) - month(b))
}

/** Order of one character where versions differ in what is no number: ~ before the end, the end before letters. */
function characterOrder(c: string | undefined): number {
  if (c === undefined) return -1
  if (c === '~') return -2
  if (/\d/.test(c)) return 0
  return /[A-Za-z]/.test(c) ? c.charCodeAt(0) : c.charCodeAt(0) + 256
}

function verrevcmp(a: string, b: string): number {
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    while ((i < a.length && !/\d/.test(a[i]!)) || (j < b.length && !/\d/.test(b[j]!))) {
      const order = characterOrder(a[i]) - characterOrder(b[j])
      if (order !== 0) return order
      i++
      j++
    }
    while (a[i] === '0') i++
    while (b[j] === '0') j++
    let first = 0
    while (i < a.length && j < b.length && /\d/.test(a[i]!) && /\d/.test(b[j]!)) {
      if (first === 0) first = a.charCodeAt(i) - b.charCodeAt(j)
      i++
      j++
    }
    if (i < a.length && /\d/.test(a[i]!)) return 1
    if (j < b.length && /\d/.test(b[j]!)) return -1
    if (first !== 0) return first
  }
  return 0
}

/** Compares versions, as file names: without their suffix first. */
export function compareVersion(a: string, b: string): number {
  if (a === b) return 0
  if (a === '') return -1
  if (b === '') return 1
  for (const special of ['.', '..']) {
    if (a === special) return -1
    if (b === special) return 1
  }
  if (a.startsWith('.') !== b.startsWith('.')) return a.startsWith('.') ? -1 : 1
  const suffix = /(?:\.[A-Za-z~][A-Za-z0-9~]*)*$/
  const base = (text: string): string => text.replace(suffix, '')
  const left = base(a)
  const right = base(b)
  return Math.sign((left === right ? 0 : verrevcmp(left, right)) || verrevcmp(a, b))
}
