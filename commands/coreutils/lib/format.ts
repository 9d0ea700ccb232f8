/** The format language of printf(1), for the builtin and the program, over byte strings. */
import { unescapeText } from './escape.ts'
import { strftime } from './strftime.ts'

/** What a conversion needs of its surroundings. */
export interface FormatEnvironment {
  /** tells of a bad argument; the output goes on and the status will be 1 */
  complain(message: string): void
  /** quotes for %q, %Q */
  quote(text: string): string
  /** characters of several bytes count as one in widths */
  readonly utf8: boolean
  /** ns since the epoch, and TZ, for %(…)T; absent where the program has no such conversion */
  readonly clock?: { readonly now: number; readonly start: number; readonly tz: string }
  /** how the C locale's quotes look in messages about a number that is not all a number */
  readonly partial: (argument: string) => string
  readonly invalid: (argument: string) => string
  readonly range: (argument: string) => string
}

/** A format that cannot be used at all. */
export class FormatError extends Error {}

/** @returns the output, and whether \c or %b's \c ended it */
export function format(spec: string, args: readonly string[], env: FormatEnvironment): { text: string; stop: boolean } {
  let out = ''
  let next = 0
  do {
    const before = next
    const pass = new Pass(spec, args, next, env)
    out += pass.run()
    next = pass.next
    if (pass.stop) return { text: out, stop: true }
    if (next === before) break
  } while (next < args.length)
  return { text: out, stop: false }
}

const CONVERSION = /^%([-+ #0']*)(\*|-?\d+)?(?:\.(\*|-?\d*))?([hjlLtz]*)([a-zA-Z%]|\([^)]*\)T)?/

class Pass {
  next: number
  stop = false
  private readonly spec: string
  private readonly args: readonly string[]
  private readonly env: FormatEnvironment

  constructor(spec: string, args: readonly string[], next: number, env: FormatEnvironment) {
    this.spec = spec
    this.args = args
    this.next = next
    this.env = env
  }

  private argument(): string | undefined {
    return this.args[this.next++]
  }

  run(): string {
    const { spec } = this
    let out = ''
    for (let i = 0; i < spec.length && !this.stop; ) {
      const c = spec[i]!
      if (c === '\\') {
        // an escape, as long as it may be
        const sequence = /^\\(?:x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|[0-7]{1,3}|c|[\s\S]?)/.exec(
          spec.slice(i),
        )![0]
        if (sequence === '\\c') {
          this.stop = true
          break
        }
        out += unescapeText(sequence, 'printf', this.env.utf8).text
        i += sequence.length
        continue
      }
      if (c !== '%') {
        out += c
        i++
        continue
      }
      const match = CONVERSION.exec(spec.slice(i))!
      out += this.conversion(match)
      i += match[0].length
    }
    return out
  }

  private conversion(match: RegExpExecArray): string {
    let flags = match[1]!
    const conversion = match[5]
    const all = match[0]
    if (conversion === undefined) {
      throw new FormatError(`\`${all}': missing format character`)
    }
    if (conversion === '%') {
      if (match[4] !== '') throw new FormatError("`%': invalid format character")
      return '%'
    }
    let width = match[2] === undefined ? 0 : match[2] === '*' ? this.integer(this.argument() ?? '0') : Number(match[2])
    if (width < 0) {
      flags += '-'
      width = -width
    }
    let precision =
      match[3] === undefined
        ? undefined
        : match[3] === '*'
          ? this.integer(this.argument() ?? '0')
          : Number(match[3] === '' ? 0 : match[3])
    if (precision !== undefined && precision < 0) precision = undefined
    const pad = (text: string): string => this.pad(text, flags.replace('0', ''), width)
    switch (conversion) {
      case 's': {
        const text = this.argument() ?? ''
        return pad(precision === undefined ? text : this.cut(text, precision))
      }
      case 'b': {
        const { text, stop } = unescapeB(this.argument() ?? '', this.env.utf8)
        this.stop = stop
        return pad(precision === undefined ? text : this.cut(text, precision))
      }
      case 'q':
        return pad(this.env.quote(this.argument() ?? ''))
      case 'Q': {
        const text = this.argument() ?? ''
        return pad(this.env.quote(precision === undefined ? text : this.cut(text, precision)))
      }
      case 'c':
        return pad((this.argument() ?? '').slice(0, 1))
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        return this.number(conversion, this.bigint(this.argument()), flags, width, precision)
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
      case 'a':
      case 'A':
        return this.float(conversion, this.double(this.argument()), flags, width, precision)
      case 'n':
        return ''
      default:
        if (conversion.endsWith('T') && conversion.startsWith('(') && this.env.clock !== undefined)
          return pad(this.time(conversion.slice(1, -2)))
        throw new FormatError(`\`${conversion[0]}': invalid format character`)
    }
  }

  private time(spec: string): string {
    const { clock } = this.env
    const argument = this.argument()
    let ns = clock!.now
    if (argument !== undefined && argument !== '-1') {
      const seconds = argument === '-2' ? undefined : this.integer(argument)
      ns = seconds === undefined ? clock!.start : seconds * 1e9
    }
    return strftime(spec === '' ? '%X' : spec, ns, clock!.tz)
  }

  private cut(text: string, precision: number): string {
    if (!this.env.utf8) return text.slice(0, precision)
    let characters = 0
    let i = 0
    for (; i < text.length; i++) {
      if ((text.charCodeAt(i) & 0xc0) !== 0x80 && characters++ === precision) break
    }
    return text.slice(0, i)
  }

  private pad(text: string, flags: string, width: number): string {
    const length = this.env.utf8 ? text.replace(/[\x80-\xbf]/g, '').length : text.length
    const fill = Math.max(0, width - length)
    return flags.includes('-') ? text + ' '.repeat(fill) : ' '.repeat(fill) + text
  }

  private integer(text: string): number {
    return Number(this.bigint(text))
  }

  /** Reads an integer as strtoimax(3) does, or the value of a character after a quote. */
  private bigint(argument: string | undefined): bigint {
    if (argument === undefined || argument === '') return 0n
    if (argument[0] === '"' || argument[0] === "'") return BigInt(this.character(argument.slice(1)))
    const match = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/.exec(argument)
    if (match === null) {
      this.env.complain(this.env.invalid(argument))
      return 0n
    }
    const digits = match[2]!
    let value = digits.length > 1 && /^0[0-7]/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits)
    if (match[1] === '-') value = -value
    if (match[0].length < argument.length) this.env.complain(this.env.partial(argument))
    if (value > 0x7fffffffffffffffn || value < -0x8000000000000000n) {
      if (value > 0xffffffffffffffffn || value < 0n) this.env.complain(this.env.range(argument))
      return value < 0n ? -0x8000000000000000n : value > 0xffffffffffffffffn ? 0x7fffffffffffffffn : value
    }
    return value
  }

  private character(text: string): number {
    const first = text.charCodeAt(0)
    if (Number.isNaN(first)) return 0
    if (!this.env.utf8 || first < 0xc0) return first
    const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
    let point = first & (0x7f >> length)
    for (let i = 1; i < length; i++) point = (point << 6) | (text.charCodeAt(i) & 0x3f)
    return point
  }

  private double(argument: string | undefined): number {
    if (argument === undefined || argument === '') return 0
    if (argument[0] === '"' || argument[0] === "'") return this.character(argument.slice(1))
    const match =
      /^[ \t\n\v\f\r]*([+-]?)(inf(?:inity)?|nan|0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/i.exec(argument)
    if (match === null) {
      this.env.complain(this.env.invalid(argument))
      return 0
    }
    if (match[0].length < argument.length) this.env.complain(this.env.partial(argument))
    const text = match[2]!.toLowerCase()
    const value = text.startsWith('inf') ? Number.POSITIVE_INFINITY : text === 'nan' ? Number.NaN : Number(text)
    return match[1] === '-' ? -value : value
  }

  private number(
    conversion: string,
    value: bigint,
    flags: string,
    width: number,
    precision: number | undefined,
  ): string {
    const signed = conversion === 'd' || conversion === 'i'
    let n = signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)
    let sign = ''
    if (signed) {
      if (n < 0n) {
        sign = '-'
        n = -n
      } else if (flags.includes('+')) sign = '+'
      else if (flags.includes(' ')) sign = ' '
    }
    let digits =
      conversion === 'o' ? n.toString(8) : conversion === 'x' || conversion === 'X' ? n.toString(16) : n.toString()
    if (conversion === 'X') digits = digits.toUpperCase()
    if (precision !== undefined) digits = precision === 0 && n === 0n ? '' : digits.padStart(precision, '0')
    if (flags.includes('#') && n !== 0n) {
      if (conversion === 'o' && digits[0] !== '0') digits = `0${digits}`
      if (conversion === 'x' || conversion === 'X') sign = `0${conversion}`
    }
    return this.padNumber(sign, digits, flags, width, precision === undefined)
  }

  private padNumber(sign: string, digits: string, flags: string, width: number, zeros: boolean): string {
    if (flags.includes('0') && zeros && !flags.includes('-')) return sign + digits.padStart(width - sign.length, '0')
    return this.pad(sign + digits, flags, width)
  }

  private float(
    conversion: string,
    value: number,
    flags: string,
    width: number,
    precision: number | undefined,
  ): string {
    const negative = value < 0 || Object.is(value, -0)
    const sign = negative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
    const n = Math.abs(value)
    const upper = conversion === conversion.toUpperCase()
    let text: string
    if (!Number.isFinite(n)) text = Number.isNaN(n) ? 'nan' : 'inf'
    else text = formatFloat(n, conversion.toLowerCase(), precision, flags.includes('#'))
    if (upper) text = text.toUpperCase()
    return this.padNumber(sign, text, flags, width, Number.isFinite(n))
  }
}

/** @returns a number that is not negative as %e, %f, %g or %a show it */
export function formatFloat(n: number, conversion: string, precision: number | undefined, alternate: boolean): string {
  const digits = precision ?? 6
  switch (conversion) {
    case 'f': {
      const fixed =
        n < 1e21 ? n.toFixed(Math.min(digits, 100)) : `${BigInt(n)}${digits > 0 ? `.${'0'.repeat(digits)}` : ''}`
      return alternate && digits === 0 ? `${fixed}.` : fixed
    }
    case 'e':
      return exponent(n.toExponential(Math.min(digits, 100)))
    case 'g': {
      const significant = digits === 0 ? 1 : digits
      if (n === 0) return '0'
      const e = Number(n.toExponential(significant - 1).split('e')[1])
      let text =
        e < -4 || e >= significant
          ? exponent(n.toExponential(significant - 1))
          : n.toFixed(Math.max(0, significant - 1 - e))
      if (!alternate && text.includes('.')) text = text.replace(/\.?0+(?=e|$)/, '')
      return text
    }
    default:
      return hexFloat(n, precision)
  }
}

function exponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}

function hexFloat(n: number, precision: number | undefined): string {
  if (n === 0) return precision === undefined || precision === 0 ? '0x0p+0' : `0x0.${'0'.repeat(precision)}p+0`
  let e = Math.floor(Math.log2(n))
  let m = n / 2 ** e
  if (m >= 2) {
    m /= 2
    e++
  }
  // the long double of x86 has its first hexadecimal digit between 8 and f
  m *= 8
  e -= 3
  let fraction = ''
  const whole = Math.floor(m)
  let rest = m - whole
  for (let i = 0; i < (precision ?? 15) && (precision !== undefined || rest > 0); i++) {
    rest *= 16
    const digit = Math.floor(rest)
    fraction += digit.toString(16)
    rest -= digit
  }
  return `0x${whole.toString(16)}${fraction === '' ? '' : `.${fraction}`}p${e < 0 ? '-' : '+'}${Math.abs(e)}`
}

/** The escapes of %b: those of echo -e, and octal also without the leading 0. */
function unescapeB(text: string, utf8: boolean): { text: string; stop: boolean } {
  return unescapeText(text.replace(/\\([1-7][0-7]{0,2})/g, '\\0$1'), 'echo', utf8)
}
