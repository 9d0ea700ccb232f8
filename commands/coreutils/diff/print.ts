/** The output formats of diff. */
import type { Hunk } from './compare.ts'

export interface Comparison {
  /** lines with their newlines */
  readonly a: readonly string[]
  readonly b: readonly string[]
  readonly hunks: readonly Hunk[]
}

const NO_NEWLINE = '\\ No newline at end of file\n'

/** A line after a mark; a missing newline is told. */
function marked(mark: string, line: string): string {
  return line.endsWith('\n') ? mark + line : `${mark}${line}\n${NO_NEWLINE}`
}

/** Line numbers of a range, as normal and context diffs write them. */
function range(start: number, count: number): string {
  return count <= 1 ? String(start + count) : `${start + 1},${start + count}`
}

/** The format without context. */
export function normal({ a, b, hunks }: Comparison): string {
  let out = ''
  for (const hunk of hunks) {
    const letter = hunk.deleted === 0 ? 'a' : hunk.inserted === 0 ? 'd' : 'c'
    out += `${range(hunk.a, hunk.deleted)}${letter}${range(hunk.b, hunk.inserted)}\n`
    for (let i = hunk.a; i < hunk.a + hunk.deleted; i++) out += marked('< ', a[i]!)
    if (letter === 'c') out += '---\n'
    for (let i = hunk.b; i < hunk.b + hunk.inserted; i++) out += marked('> ', b[i]!)
  }
  return out
}

/** A script for ed. */
export function ed({ b, hunks }: Comparison): string {
  let out = ''
  for (const hunk of [...hunks].reverse()) {
    const letter = hunk.deleted === 0 ? 'a' : hunk.inserted === 0 ? 'd' : 'c'
    out += `${range(hunk.a, hunk.deleted)}${letter}\n`
    if (hunk.inserted > 0) out += `${b.slice(hunk.b, hunk.b + hunk.inserted).join('')}.\n`
  }
  return out
}

/** Hunks whose contexts touch go together. */
function groups(hunks: readonly Hunk[], count: number): Hunk[][] {
  const out: Hunk[][] = []
  for (const hunk of hunks) {
    const last = out[out.length - 1]
    const previous = last?.[last.length - 1]
    if (previous !== undefined && hunk.a - (previous.a + previous.deleted) <= 2 * count) last!.push(hunk)
    else out.push([hunk])
  }
  return out
}

/** Line numbers of a range in a unified diff. */
function unifiedRange(start: number, count: number): string {
  if (count === 1) return String(start + 1)
  return count === 0 ? `${start},0` : `${start + 1},${count}`
}

export function unified({ a, b, hunks }: Comparison, count: number): string {
  let out = ''
  for (const group of groups(hunks, count)) {
    const first = group[0]!
    const last = group[group.length - 1]!
    const startA = Math.max(0, first.a - count)
    const startB = Math.max(0, first.b - count)
    const endA = Math.min(a.length, last.a + last.deleted + count)
    const endB = Math.min(b.length, last.b + last.inserted + count)
    out += `@@ -${unifiedRange(startA, endA - startA)} +${unifiedRange(startB, endB - startB)} @@\n`
    let at = startA
    for (const hunk of group) {
      for (; at < hunk.a; at++) out += marked(' ', a[at]!)
      for (; at < hunk.a + hunk.deleted; at++) out += marked('-', a[at]!)
      for (let i = hunk.b; i < hunk.b + hunk.inserted; i++) out += marked('+', b[i]!)
    }
    for (; at < endA; at++) out += marked(' ', a[at]!)
  }
  return out
}

/** Line numbers of a range in a context diff. */
function contextRange(start: number, end: number): string {
  return end - start <= 1 ? String(end) : `${start + 1},${end}`
}

export function context({ a, b, hunks }: Comparison, count: number): string {
  let out = ''
  for (const group of groups(hunks, count)) {
    const first = group[0]!
    const last = group[group.length - 1]!
    const startA = Math.max(0, first.a - count)
    const startB = Math.max(0, first.b - count)
    const endA = Math.min(a.length, last.a + last.deleted + count)
    const endB = Math.min(b.length, last.b + last.inserted + count)
    out += `***************\n*** ${contextRange(startA, endA)} ****\n`
    if (group.some(hunk => hunk.deleted > 0)) {
      let at = startA
      for (const hunk of group) {
        for (; at < hunk.a; at++) out += marked('  ', a[at]!)
        for (; at < hunk.a + hunk.deleted; at++) out += marked(hunk.inserted > 0 ? '! ' : '- ', a[at]!)
      }
      for (; at < endA; at++) out += marked('  ', a[at]!)
    }
    out += `--- ${contextRange(startB, endB)} ----\n`
    if (group.some(hunk => hunk.inserted > 0)) {
      let at = startB
      for (const hunk of group) {
        for (; at < hunk.b; at++) out += marked('  ', b[at]!)
        for (; at < hunk.b + hunk.inserted; at++) out += marked(hunk.deleted > 0 ? '! ' : '+ ', b[at]!)
      }
      for (; at < endB; at++) out += marked('  ', b[at]!)
    }
  }
  return out
}

/** Tab stops of the output. */
const TAB = 8

/** Two columns, with what differs marked between them. */
export function sideBySide({ a, b, hunks }: Comparison, width: number, suppress: boolean): string {
  // the right column begins at a tab stop
  const offset = Math.floor((width + TAB + 3) / (2 * TAB)) * TAB
  const half = Math.max(0, Math.min(offset - 3, width - offset))
  const column2 = half > 0 ? offset : width
  let out = ''
  const shown = (line: string): string => line.replace(/\n$/, '').replace(/\t/g, '        ').slice(0, half)
  const tabTo = (from: number, to: number): string => {
    let text = ''
    let at = from
    while (at < to) {
      const next = at + TAB - (at % TAB)
      if (next > to) {
        text += ' '.repeat(to - at)
        at = to
      } else {
        text += '\t'
        at = next
      }
    }
    return text
  }
  const put = (left: string | undefined, mark: string, right: string | undefined): void => {
    const text = left === undefined ? '' : shown(left)
    let line = text
    let at = text.length
    if (mark !== ' ') {
      const place = Math.floor((half + column2 - 1) / 2)
      line += tabTo(at, place) + mark
      at = place + 1
    }
    if (right !== undefined && shown(right) !== '') line += tabTo(at, column2) + shown(right)
    out += `${line}\n`
  }
  let i = 0
  let j = 0
  for (const hunk of hunks) {
    for (; i < hunk.a; i++, j++) if (!suppress) put(a[i], ' ', b[j])
    const both = Math.min(hunk.deleted, hunk.inserted)
    for (let k = 0; k < both; k++) put(a[hunk.a + k], '|', b[hunk.b + k])
    for (let k = both; k < hunk.inserted; k++) put(undefined, '>', b[hunk.b + k])
    for (let k = both; k < hunk.deleted; k++) put(a[hunk.a + k], '<', undefined)
    i = hunk.a + hunk.deleted
    j = hunk.b + hunk.inserted
  }
  for (; i < a.length; i++, j++) if (!suppress) put(a[i], ' ', b[j])
  return out
}
