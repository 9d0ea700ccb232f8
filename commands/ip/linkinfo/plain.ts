/** Kinds without options: what follows `type KIND` is ignored. */
import type { LinkKind } from './kind.ts'

/** The kinds, with their help texts. */
export const PLAIN_KINDS: readonly LinkKind[] = [
  {
    kind: 'dummy',
    help: `Usage: ... dummy
`,
  },
  {
    kind: 'ifb',
    help: `Usage: ... ifb
`,
  },
  {
    kind: 'nlmon',
    help: `Usage: ... nlmon
`,
  },
  {
    kind: 'team',
    help: `Usage: ... team
`,
  },
  {
    kind: 'team_slave',
    help: `Usage: ... team_slave
`,
  },
  {
    kind: 'vcan',
    help: `Usage: ... vcan
`,
  },
  {
    kind: 'virt_wifi',
    help: `Usage: ... virt_wifi 
`,
  },
  {
    kind: 'netdevsim',
    help: `Usage: ... netdevsim
`,
  },
]
