/** Users and groups of /etc/passwd and /etc/group. */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'

type FileReader = Pick<Process, 'readFile'>

/** Lines of a colon-separated file as fields; none where the file is missing. */
function records(files: FileReader, path: string): string[][] {
  try {
    const text = new TextDecoder().decode(files.readFile(path))
    return text
      .split('\n')
      .filter(line => line !== '')
      .map(line => line.split(':'))
  } catch (error) {
    if (isSysError(error)) return []
    throw error
  }
}

/** @returns the name of a user, or undefined */
export function lookupUser(files: FileReader, uid: number): string | undefined {
  return records(files, '/etc/passwd').find(fields => fields[2] === String(uid))?.[0]
}

/** @returns the name of a group, or undefined */
export function lookupGroup(files: FileReader, gid: number): string | undefined {
  return records(files, '/etc/group').find(fields => fields[2] === String(gid))?.[0]
}

/** @returns the number of a user by name, or undefined */
export function userId(files: FileReader, name: string): number | undefined {
  const id = records(files, '/etc/passwd').find(fields => fields[0] === name)?.[2]
  return id === undefined ? undefined : Number(id)
}

/** @returns the number of a group by name, or undefined */
export function groupId(files: FileReader, name: string): number | undefined {
  const id = records(files, '/etc/group').find(fields => fields[0] === name)?.[2]
  return id === undefined ? undefined : Number(id)
}
