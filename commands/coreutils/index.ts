/** The text and file utilities. */
import type { ProgramFile } from '../../src/uapi/process.ts'

/** Their files. */
export const coreutilsPrograms: ProgramFile[] = []
