// Bundles Linnet into dist/: the command line, and one chunk per tool that is loaded when it is first run.
import { build } from 'esbuild'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
rmSync(join(root, 'dist'), { recursive: true, force: true })

/**
 * just-bash brings its parser in a chunk of its own, but its entry loads everything else with it. The shell imports
 * the entry by name; here that one import is led to the chunk.
 */
const parserOnly = {
  name: 'just-bash-parser',
  setup(api) {
    api.onResolve({ filter: /^just-bash$/ }, args => {
      if (!args.importer.endsWith(join('src', 'shell', 'parser.ts'))) return undefined
      const bundle = join(root, 'node_modules', 'just-bash', 'dist', 'bundle')
      const entry = readFileSync(join(bundle, 'index.js'), 'utf8')
      const exported = /export\{([^}]*)\}/.exec(entry)?.[1].split(',').find(name => /\bas parse$|^parse$/.test(name))
      const local = exported?.split(' as ')[0]
      const from = [...entry.matchAll(/import\{([^}]*)\}from"(\.\/chunks\/[^"]+)"/g)].find(([, names]) =>
        names.split(',').some(name => name.split(' as ').at(-1) === local))
      if (!local || !from) return undefined
      const inner = from[1].split(',').find(name => name.split(' as ').at(-1) === local).split(' as ')[0]
      return { path: join(bundle, from[2]), namespace: 'file', pluginData: { inner }, suffix: `?parse=${inner}` }
    })
  },
}

await build({
  absWorkingDir: root,
  entryPoints: { linnet: 'bin/linnet.ts', ...(readdirSync(root).includes('bench') ? { bench: 'bench/main.ts' } : {}) },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  chunkNames: 'chunks/[name]-[hash]',
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  define: { __LINNET_VERSION__: JSON.stringify(version) },
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [],
})
void parserOnly
