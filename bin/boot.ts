/** Puts a machine together: the kernel's user space, the tools, and the shell. */
import { coreutilsPrograms } from '../commands/coreutils/index.ts'
import { CONVENIENCES, PROGRAMS } from '../commands/registry.ts'
import { Machine, type MachineOptions } from '../src/machine/machine.ts'
import type { ProgramFile } from '../src/uapi/process.ts'

/** The shell, which lives outside commands/ since it knows the machine's processes better than a tool may. */
const SHELL: ProgramFile = {
  path: '/usr/bin/bash',
  links: ['/usr/bin/sh', '/usr/bin/rbash'],
  load: () => import('../src/shell/main.ts').then(m => m.main),
}

/** What a machine is booted with; see MachineOptions. */
export interface BootMachineOptions extends Omit<MachineOptions, 'programs'> {
  /** also the tools that the reference machine does not have, such as sudo */
  readonly conveniences?: boolean
}

/** Boots a machine with every tool and the shell. */
export function bootMachine(options: BootMachineOptions): Machine {
  const programs = [...PROGRAMS, ...coreutilsPrograms, SHELL, ...(options.conveniences === true ? CONVENIENCES : [])]
  return new Machine({ ...options, programs })
}

/** @returns the names of all programs, sorted */
export function programNames(): string[] {
  const paths = [...PROGRAMS, SHELL, ...CONVENIENCES].flatMap(program => [program.path, ...(program.links ?? [])])
  return [...new Set(paths.map(path => path.slice(path.lastIndexOf('/') + 1)))].sort()
}
