/** The table that ps prints. A column that is too wide takes its room from the blanks of those after it. */
import type { ProcInfo } from '../lib/procps.ts'
import { COLUMNS, type Column, type Context } from './columns.ts'
import type { Field } from './options.ts'

/** One column with the heading and width it has here. */
interface Shown {
  readonly column: Column
  readonly header: string
  readonly width: number
}

function shown(field: Field): Shown {
  const column = COLUMNS.get(field.name)!
  const header = field.header ?? column.header
  const width = field.width ?? Math.max(column.width, field.header === undefined ? 0 : header.length)
  return { column, header, width }
}

/** Cuts a name that is too long, with a `+` to say so. */
function crop(text: string, width: number, isUser: boolean): string {
  if (text.length <= width) return text
  return isUser ? `${text.slice(0, width - 1)}+` : text.slice(0, width)
}

/** Lays cells out in one line (show_one_proc). */
function line(columns: readonly Shown[], cells: readonly string[], limit: number, heading = false): string {
  let out = ''
  let correct = 0
  let gap = 0
  columns.forEach(({ column, width }, i) => {
    const last = i === columns.length - 1
    const isUser = column.width === 8 && column.text === true
    let cell = cells[i]!
    if (!last && !heading && column.text === true) cell = crop(cell, width, isUser)
    const pad = column.right ? Math.max(0, width - cell.length) : 0
    const space = Math.max(correct - out.length + pad, gap)
    out += ' '.repeat(space) + cell
    correct += width + 1
    gap = 1
  })
  return out.slice(0, limit)
}

/** @returns the table. @param depths tree prefixes by pid @param limit columns of the screen */
export function formatTable(
  processes: readonly ProcInfo[],
  fields: readonly Field[],
  ctx: Context,
  options: { readonly header: boolean; readonly limit: number },
): string {
  const columns = fields.map(shown)
  let text = ''
  if (options.header && columns.some(column => column.header !== ''))
    text += `${line(
      columns,
      columns.map(column => column.header),
      options.limit,
      true,
    )}\n`
  for (const info of processes)
    text += `${line(
      columns,
      columns.map(({ column }) => column.value(info, ctx)),
      options.limit,
    )}\n`
  return text
}
