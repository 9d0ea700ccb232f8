// Bundles Linnet into dist/: the command line, and one chunk per tool that is loaded when it is first run.
// The development programs (bench, fidelity) go to dist/dev/ and are not published.
import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** What just-bash can load on demand for commands that Linnet does not take from it. */
const UNUSED = [
  /^@mongodb-js\/zstd$/,
  /^node-liblzma$/,
  /^sql\.js$/,
  /^quickjs-emscripten/,
  /^turndown$/,
  /^seek-bzip$/,
  /^undici$/,
]

/** @param {Record<string, string>} input name to entry file  @param {string} dir */
async function bundle(input, dir) {
  const bundler = await rolldown({
    cwd: root,
    input,
    platform: 'node',
    external: [/^node:/, ...UNUSED],
    transform: { target: 'node20.19', define: { __LINNET_VERSION__: JSON.stringify(version) } },
    // just-bash's entry evaluates much that the parser does not need; none of it has effects that anybody relies on
    treeshake: {
      moduleSideEffects: [
        { test: /node_modules[\\/](?:just-bash|minimatch|brace-expansion|diff|sprintf-js)/, sideEffects: false },
      ],
      propertyReadSideEffects: false,
      unknownGlobalSideEffects: false,
      propertyWriteSideEffects: false,
      manualPureFunctions: ['createRequire', 'Object.freeze', 'Object.create', 'Object.assign'],
    },
    onLog(level, log, handler) {
      // eval in a library's optional part, and externals that are never reached
      if (level !== 'warn' || !/EVAL|UNRESOLVED_IMPORT|CIRCULAR/.test(log.code ?? '')) handler(level, log)
    },
  })
  await bundler.write({
    dir: join(root, dir),
    format: 'esm',
    minify: 'dce-only',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
  })
  await bundler.close()
}

rmSync(join(root, 'dist'), { recursive: true, force: true })
await bundle({ linnet: 'bin/linnet.ts' }, 'dist')
chmodSync(join(root, 'dist', 'linnet.js'), 0o755)
const dev = { bench: 'bench/main.ts', fidelity: 'test/reference/fidelity.ts' }
await bundle(
  Object.fromEntries(Object.entries(dev).filter(([, file]) => existsSync(join(root, file)))),
  join('dist', 'dev'),
)
