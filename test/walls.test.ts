/** The walls of the house: each is planted with a violation that the linter must refuse, and a neighbour it must let pass. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const biome = join(root, 'node_modules', '.bin', 'biome')
const house = mkdtempSync(join(tmpdir(), 'linnet-walls-'))
copyFileSync(join(root, 'biome.json'), join(house, 'biome.json'))
afterAll(() => rmSync(house, { recursive: true }))

/** Plants a file in an empty house with this project's rules and lints it. */
function lintSource(path: string, source: string): { status: number | null; output: string } {
  const file = join(house, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, source)
  const run = spawnSync(biome, ['lint', '--vcs-enabled=false', file], { cwd: house, encoding: 'utf8' })
  rmSync(file)
  return { status: run.status, output: run.stdout + run.stderr }
}

function lint(path: string, specifier: string): { status: number | null; output: string } {
  return lintSource(path, `import { planted } from '${specifier}'\n\nplanted()\n`)
}

const VIOLATIONS: readonly [file: string, specifier: string][] = [
  ['commands/ip/planted.ts', '../../src/kernel/kernel.ts'],
  ['commands/ip/planted.ts', '../../src/kernel/ipv4/route.ts'],
  ['commands/ping/deeper/planted.ts', '../../../src/kernel/core/skbuff.ts'],
  ['commands/ip/planted.ts', '../../src/machine/machine.ts'],
  ['commands/ip/planted.ts', '../../src/shell/shell.ts'],
  ['commands/ip/planted.ts', 'node:fs'],
  ['src/uapi/planted.ts', '../kernel/kernel.ts'],
  ['src/uapi/planted.ts', 'node:os'],
  ['src/kernel/ipv4/planted.ts', '../../machine/machine.ts'],
  ['src/kernel/ipv4/planted.ts', '../../../commands/ip/main.ts'],
  ['src/kernel/core/planted.ts', 'node:fs'],
  ['src/kernel/core/planted.ts', 'chalk'],
  ['src/machine/planted.ts', '../lab/transcript.ts'],
  ['src/shell/planted.ts', '../../bin/boot.ts'],
]

const NEIGHBOURS: readonly [file: string, specifier: string][] = [
  ['commands/ip/planted.ts', '../../src/uapi/rtnetlink.ts'],
  ['commands/ip/planted.ts', '../lib/inet.ts'],
  ['src/uapi/planted.ts', './errno.ts'],
  ['src/kernel/ipv4/planted.ts', '../core/skbuff.ts'],
  ['src/kernel/ipv4/planted.ts', '../../uapi/errno.ts'],
  ['src/machine/planted.ts', '../kernel/kernel.ts'],
]

describe('the linter holds the walls', () => {
  it.each(VIOLATIONS)('refuses %s importing %s', (file, specifier) => {
    const { status, output } = lint(file, specifier)
    expect(output).toMatch(/noRestrictedImports/)
    expect(output).toMatch(/Wall: /)
    expect(status).not.toBe(0)
  })

  it.each(NEIGHBOURS)('lets %s import %s', (file, specifier) => {
    const { status, output } = lint(file, specifier)
    expect(output).not.toMatch(/noRestrictedImports/)
    expect(status).toBe(0)
  })

  it('refuses a console in the kernel', () => {
    const { status, output } = lintSource('src/kernel/core/planted.ts', "console.log('kernel')\n")
    expect(output).toMatch(/noConsole/)
    expect(status).not.toBe(0)
  })
})
