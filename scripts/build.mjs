// Bundles Linnet into dist/: the command line, and one chunk per tool that is loaded when it is first run.
// The development programs (bench, fidelity) go to dist/dev/ and are not published.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

/** In front of every bundle: what is never followed, and the warnings that mean nothing here. */
const COMMON = {
  cwd: root,
  platform: 'node',
  external: [/^node:/, ...UNUSED],
  onLog(level, log, handler) {
    // eval in a library's optional part, and externals that are never reached
    if (level !== 'warn' || !/EVAL|UNRESOLVED_IMPORT|CIRCULAR/.test(log.code ?? '')) handler(level, log)
  },
}
const ESM = {
  format: 'esm',
  minify: 'dce-only',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
}
const CJS = {
  ...ESM,
  format: 'cjs',
  minify: true,
  entryFileNames: '[name].cjs',
  chunkFileNames: 'chunks/[name]-[hash].cjs',
}

/**
 * just-bash's parser without the rest: its entry evaluates everything else as well, which the start of a shell cannot
 * wait for. None of what is cut off has effects on the parser.
 * @returns the bundle's file
 */
async function bundleParser() {
  const dir = join(root, 'node_modules', '.cache', 'linnet')
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'entry.js'), "export { parse } from 'just-bash'\n")
  const bundler = await rolldown({
    ...COMMON,
    input: { parser: join(dir, 'entry.js') },
    treeshake: {
      moduleSideEffects: false,
      propertyReadSideEffects: false,
      propertyWriteSideEffects: false,
      unknownGlobalSideEffects: false,
      manualPureFunctions: ['createRequire', 'Object.freeze', 'Object.create', 'Object.assign'],
    },
  })
  await bundler.write({ ...ESM, dir })
  await bundler.close()
  return join(dir, 'parser.js')
}

/** @param {Record<string, string>} input name to entry file  @param {object} output  @param {string} parser */
async function bundle(input, output, parser) {
  const bundler = await rolldown({
    ...COMMON,
    input,
    transform: { target: 'node20.19', define: { __LINNET_VERSION__: JSON.stringify(version) } },
    plugins: [
      {
        name: 'just-bash-parser',
        resolveId(source, importer) {
          return source === 'just-bash' && importer?.endsWith(join('src', 'shell', 'parser.ts')) ? parser : null
        },
      },
    ],
  })
  await bundler.write(output)
  await bundler.close()
}

rmSync(join(root, 'dist'), { recursive: true, force: true })
const parser = await bundleParser()
await bundle({ main: 'bin/linnet.ts' }, { ...CJS, dir: join(root, 'dist') }, parser)
copyFileSync(join(root, 'bin', 'launcher.cjs'), join(root, 'dist', 'linnet.cjs'))
chmodSync(join(root, 'dist', 'linnet.cjs'), 0o755)
const dev = { bench: 'bench/main.ts', fidelity: 'test/reference/fidelity.ts' }
await bundle(
  Object.fromEntries(Object.entries(dev).filter(([, file]) => existsSync(join(root, file)))),
  { ...ESM, dir: join(root, 'dist', 'dev') },
  parser,
)
