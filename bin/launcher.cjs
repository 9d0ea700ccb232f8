#!/usr/bin/env node
'use strict'
/**
 * What `linnet` starts: loads the bundle with V8's compiled code kept from an earlier run, so that starting costs little
 * more than Node itself. Plain CommonJS, since the loader for modules costs more than all of this.
 *
 * The code is kept in the user's cache folder, by version of Linnet and Node; where it cannot be kept, or another V8 made
 * it, everything works and only starts slower. LINNET_NO_CACHE=1 turns it off.
 */
const fs = require('node:fs')
const Module = require('node:module')
const path = require('node:path')
const vm = require('node:vm')

/** @returns {string | undefined} where compiled code is kept */
function cacheFolder() {
  if (process.env.LINNET_NO_CACHE) return undefined
  const { HOME, XDG_CACHE_HOME } = process.env
  const base = XDG_CACHE_HOME?.startsWith('/') ? XDG_CACHE_HOME : HOME ? path.join(HOME, '.cache') : undefined
  if (base === undefined) return undefined
  const stamp = Math.round(fs.statSync(path.join(__dirname, 'main.cjs')).mtimeMs).toString(36)
  return path.join(base, 'linnet', `${process.version}-${process.arch}-${stamp}`)
}

/** Compiles files below dist with code from the cache, and keeps what is new at the end. */
function useCache(folder) {
  /** scripts whose code is not in the cache yet @type {Map<string, import('node:vm').Script>} */
  const fresh = new Map()
  const compile = Module.prototype._compile
  Module.prototype._compile = function (content, filename) {
    if (!filename.startsWith(__dirname)) return compile.call(this, content, filename)
    const file = path.join(folder, `${path.basename(filename)}.bin`)
    let cachedData
    try {
      cachedData = fs.readFileSync(file)
    } catch {
      // not kept yet
    }
    const script = new vm.Script(Module.wrap(content), { filename, cachedData })
    if (cachedData === undefined || script.cachedDataRejected) fresh.set(file, script)
    const require = request => this.require(request)
    require.resolve = request => Module._resolveFilename(request, this)
    require.main = process.mainModule
    require.cache = Module._cache
    return script.runInThisContext().call(this.exports, this.exports, require, this, filename, path.dirname(filename))
  }
  process.on('exit', () => {
    if (fresh.size === 0) return
    try {
      fs.mkdirSync(folder, { recursive: true })
      for (const [file, script] of fresh) {
        const unfinished = `${file}.${process.pid}`
        fs.writeFileSync(unfinished, script.createCachedData())
        fs.renameSync(unfinished, file)
      }
    } catch {
      // a folder that cannot be written: the next start compiles again
    }
  })
}

const folder = cacheFolder()
if (folder !== undefined) useCache(folder)
require('./main.cjs')
