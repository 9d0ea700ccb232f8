/** The predefined formats of ps: which columns `-f`, `-l`, `u`, … show. */
import type { Field, PsOptions } from './options.ts'

const list = (text: string): Field[] => text.split(' ').map(name => ({ name }))

const BSD_FORMATS: Readonly<Record<string, Field[]>> = {
  j: list('ppid pid pgid sid tname tpgid stat uid bsdtime args'),
  l: list('f uid pid ppid priority nice vsz rss wchan stat tname bsdtime args'),
  s: list('uid pid pending blocked ignored caught stat tname bsdtime args'),
  u: list('user pid %cpu %mem vsz rss tname stat start_time bsdtime args'),
  v: list('pid tname stat bsdtime maj_flt trs drs rss %mem args'),
  X: list('pid stackp esp eip stat tname bsdtime args'),
}
const BSD_DEFAULT = list('pid tname stat bsdtime args')

/** The format of Unix options: `-f`, `-l`, `-j`, `-F` and what modifies them. */
function unixFormat(options: PsOptions): Field[] {
  const { unixFormat: letters, schedClass } = options
  const full = letters.has('f') || letters.has('F')
  const long = letters.has('l')
  const names: string[] = []
  if (long) names.push(...(options.noFlags ? ['s'] : ['f', 's']))
  if (full) names.push('uid_hack')
  else if (long) names.push('uid')
  names.push('pid')
  if (full || long) names.push('ppid')
  if (letters.has('j')) names.push('pgid', 'sid')
  if (schedClass) names.push('cls', 'pri')
  else {
    if (full || long) names.push('c')
    if (long) names.push('opri', 'ni')
  }
  if (long) names.push(...(options.noFlags ? ['rss', 'sz', 'wchan'] : ['addr_1', 'sz', 'wchan']))
  if (letters.has('F')) names.push('sz', 'rss', 'psr')
  if (full) names.push('stime')
  names.push('tname', 'time')
  names.push(full ? 'cmd' : 'ucmd')
  return list(names.join(' '))
}

/** @returns the columns to show */
export function chooseFields(options: PsOptions): Field[] {
  let fields: Field[]
  if (options.fields !== undefined) fields = options.fields
  else if (options.extraFields.length > 0)
    fields = [
      { name: 'pid' },
      ...options.extraFields,
      ...list(options.bsd ? 'state tname bsdtime args' : 's tname time args'),
    ]
  else if (options.unixFormat.size > 0 || (options.schedClass && !options.bsd)) fields = unixFormat(options)
  else if (options.bsdFormat !== undefined) fields = BSD_FORMATS[options.bsdFormat]!
  else fields = options.bsd ? BSD_DEFAULT : list('pid tname time ucmd')
  if (options.fields !== undefined) return fields
  const afterPid = (name: string): Field[] =>
    fields.flatMap(field => (field.name === 'pid' ? [field, { name }] : [field]))
  if (options.threads === 'L') fields = afterPid('lwp')
  if (options.threads === 'T') fields = afterPid('spid')
  if (options.processorColumn) fields = afterPid('psr')
  if (options.security) fields = [{ name: 'label' }, ...fields]
  return fields
}
