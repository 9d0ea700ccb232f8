/** Shell variables: values, attributes, scopes. A forked shell shares them until one side writes. */
import { ShellError } from './control.ts'

/** Attributes of a variable, bits. */
export const Attr = {
  Export: 1,
  Readonly: 2,
  Integer: 4,
  Lower: 8,
  Upper: 16,
  Nameref: 32,
  Array: 64,
  Assoc: 128,
  Trace: 256,
  /** capitalize, declare -c */
  Capital: 512,
} as const

/** A variable whose value is made when it is read. */
export interface Dynamic {
  get(): string | string[] | Map<string, string> | undefined
  /** absent: assignments are ignored */
  set?(value: string): void
}

/** One variable. Which of the values counts is told by Attr.Array and Attr.Assoc. */
export interface Variable {
  value: string | undefined
  array: string[] | undefined
  assoc: Map<string, string> | undefined
  attrs: number
  /** who may change it in place */
  owner: object
  dynamic?: Dynamic
}

/** Where a value is: a variable, or one element of an array. */
export interface Place {
  readonly name: string
  /** as written between the brackets */
  readonly subscript: string | undefined
}

interface Scope {
  readonly kind: 'global' | 'function' | 'temporary'
  vars: Map<string, Variable>
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/

/** @returns whether a text is a name that a variable may have */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text)
}

/** @returns name and subscript of `name` or `name[subscript]`; undefined for anything else */
export function parsePlace(text: string): Place | undefined {
  const open = text.indexOf('[')
  if (open < 0) return IDENTIFIER.test(text) ? { name: text, subscript: undefined } : undefined
  const name = text.slice(0, open)
  if (!IDENTIFIER.test(name) || !text.endsWith(']') || text.length - open < 3) return undefined
  return { name, subscript: text.slice(open + 1, -1) }
}

/** What variables need of the shell. */
export interface VariableHooks {
  /** evaluates an arithmetic expression */
  arithmetic(text: string): bigint
  /** expands the subscript of an associative array */
  key(subscript: string): string
  /** told after a variable was set or unset */
  changed(name: string): void
  warn(message: string): void
}

const MAX_NAMEREFS = 8

/** All variables of a shell. */
export class Variables {
  hooks: VariableHooks
  private scopes: Scope[] = [{ kind: 'global', vars: new Map() }]
  private owner: object = {}
  /** `set -a`: every assignment exports */
  exportAll = false

  constructor(hooks: VariableHooks) {
    this.hooks = hooks
  }

  /** @returns the variables of a forked shell; dynamic ones are not copied */
  fork(hooks: VariableHooks): Variables {
    const copy = new Variables(hooks)
    this.owner = {}
    copy.scopes = this.scopes.map(scope => ({ kind: scope.kind, vars: new Map(scope.vars) }))
    copy.exportAll = this.exportAll
    return copy
  }

  /** Enters a function's scope, or one of the assignments before a command. */
  push(kind: 'function' | 'temporary'): void {
    this.scopes.push({ kind, vars: new Map() })
  }

  pop(): void {
    const scope = this.scopes.pop()!
    for (const name of scope.vars.keys()) this.hooks.changed(name)
  }

  get depth(): number {
    return this.scopes.length
  }

  /** Leaves scopes until `depth` are left. */
  unwind(depth: number): void {
    while (this.scopes.length > depth) this.pop()
  }

  /** @returns whether a function is running */
  get inFunction(): boolean {
    return this.scopes.some(scope => scope.kind === 'function')
  }

  private scopeOf(name: string): Scope | undefined {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const scope = this.scopes[i]!
      if (scope.vars.has(name)) return scope
    }
    return undefined
  }

  /** @returns the variable of a name, without following a nameref */
  lookup(name: string): Variable | undefined {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const variable = this.scopes[i]!.vars.get(name)
      if (variable !== undefined) return variable
    }
    return undefined
  }

  /** Follows namerefs. @returns the place meant; undefined for a circular reference */
  resolve(name: string): Place | undefined {
    let place: Place = { name, subscript: undefined }
    for (let n = 0; n < MAX_NAMEREFS; n++) {
      const variable = this.lookup(place.name)
      if (variable === undefined || (variable.attrs & Attr.Nameref) === 0) return place
      const target = variable.value
      if (target === undefined || target === '') return place
      const next = parsePlace(target)
      if (next === undefined) return place
      if (next.name === name) break
      if (next.subscript !== undefined) return next
      place = next
    }
    this.hooks.warn(`warning: ${name}: circular name reference`)
    return undefined
  }

  /** @returns a variable's value, that of element 0 for an array; undefined if unset */
  get(name: string): string | undefined {
    const variable = this.lookup(name)
    if (variable === undefined) return undefined
    if ((variable.attrs & (Attr.Nameref | Attr.Array | Attr.Assoc)) === 0 && variable.dynamic === undefined)
      return variable.value
    const place = this.resolve(name)
    if (place === undefined) return undefined
    return this.at(place)
  }

  /** @returns the value at a place, undefined if unset */
  at(place: Place): string | undefined {
    let { name, subscript } = place
    if (subscript === undefined) {
      const target = this.resolve(name)
      if (target === undefined) return undefined
      name = target.name
      subscript = target.subscript
    } else name = this.resolve(name)?.name ?? name
    const variable = this.lookup(name)
    if (variable === undefined) return undefined
    const value = this.contents(variable)
    if (value === undefined) return undefined
    if (subscript === undefined || (subscript === '0' && typeof value === 'string')) {
      return typeof value === 'string' ? value : value instanceof Map ? value.get('0') : value[0]
    }
    if (value instanceof Map) return value.get(this.hooks.key(subscript))
    const index = this.index(name, subscript, typeof value === 'string' ? 1 : value.length)
    return typeof value === 'string' ? (index === 0 ? value : undefined) : value[index]
  }

  private contents(variable: Variable): string | string[] | Map<string, string> | undefined {
    if (variable.dynamic !== undefined) return variable.dynamic.get()
    if (variable.attrs & Attr.Assoc) return variable.assoc
    if (variable.attrs & Attr.Array) return variable.array
    return variable.value
  }

  /** @returns the index a subscript means; negative ones count from the end */
  private index(name: string, subscript: string, length: number): number {
    let index = Number(this.hooks.arithmetic(subscript))
    if (index < 0) index += length
    if (index < 0 || index > 0xfffffffe)
      throw new ShellError(`${name}[${subscript}]: bad array subscript`, 1, 'command')
    return index
  }

  /** @returns keys and values of all elements, in order; a scalar has one; undefined if the name is unset */
  elements(name: string): { keys: string[]; values: string[] } | undefined {
    const place = this.resolve(name)
    if (place === undefined) return undefined
    if (place.subscript !== undefined) {
      const value = this.at(place)
      return value === undefined ? undefined : { keys: ['0'], values: [value] }
    }
    const variable = this.lookup(place.name)
    if (variable === undefined) return undefined
    const value = this.contents(variable)
    if (value === undefined) return undefined
    if (typeof value === 'string') return { keys: ['0'], values: [value] }
    const keys: string[] = []
    const values: string[] = []
    if (value instanceof Map) {
      for (const key of hashOrder(value)) {
        keys.push(key)
        values.push(value.get(key)!)
      }
    } else {
      value.forEach((element, index) => {
        keys.push(String(index))
        values.push(element)
      })
    }
    return { keys, values }
  }

  /** @returns a variable to change: in the scope where it is, or new in the global one */
  private writable(name: string, scope = this.scopeOf(name) ?? this.scopes[0]!): Variable {
    const old = scope.vars.get(name)
    if (old === undefined) {
      const variable: Variable = { value: undefined, array: undefined, assoc: undefined, attrs: 0, owner: this.owner }
      scope.vars.set(name, variable)
      return variable
    }
    if (old.owner === this.owner) return old
    const copy: Variable = { ...old, owner: this.owner }
    if (old.array !== undefined) copy.array = old.array.slice()
    if (old.assoc !== undefined) copy.assoc = new Map(old.assoc)
    scope.vars.set(name, copy)
    return copy
  }

  private checkWritable(name: string): void {
    const variable = this.lookup(name)
    if (variable !== undefined && variable.attrs & Attr.Readonly) throw readonlyError(name, 'line')
  }

  /** Applies what the attributes do to a value. */
  private cast(variable: Variable, value: string, old: string | undefined, append: boolean): string {
    if (variable.attrs & Attr.Integer) {
      const added = this.hooks.arithmetic(value)
      return String(append && old !== undefined ? BigInt.asIntN(64, this.hooks.arithmetic(old) + added) : added)
    }
    let text = append && old !== undefined ? old + value : value
    if (variable.attrs & Attr.Lower) text = lowerCase(text)
    else if (variable.attrs & Attr.Upper) text = upperCase(text)
    else if (variable.attrs & Attr.Capital) text = upperCase(text.slice(0, 1)) + lowerCase(text.slice(1))
    return text
  }

  /**
   * Assigns to a variable or an element.
   * @throws ShellError for a readonly variable or a bad subscript
   */
  set(name: string, value: string, append = false): void {
    this.setAt({ name, subscript: undefined }, value, append)
  }

  /** Assigns to a place, see `set`. `scope` 'global' or 'local' says where a new variable goes. */
  setAt(place: Place, value: string, append = false): void {
    let { name, subscript } = place
    const target = this.resolve(name)
    if (target === undefined) return
    const reference = this.lookup(target.name)
    if (subscript === undefined) {
      // assigning to a nameref without a target sets its target
      if (reference !== undefined && reference.attrs & Attr.Nameref && !append) {
        this.checkWritable(target.name)
        if (parsePlace(value) === undefined) throw new ShellError(`\`${value}': not a valid identifier`, 1, 'command')
        this.writable(target.name).value = value
        return
      }
      name = target.name
      subscript = target.subscript
    } else name = target.name
    this.checkWritable(name)
    const variable = this.writable(name)
    if (variable.dynamic !== undefined) {
      variable.dynamic.set?.(value)
      return
    }
    if (this.exportAll) variable.attrs |= Attr.Export
    if (variable.attrs & Attr.Assoc) {
      variable.assoc ??= new Map()
      const key = subscript === undefined ? '0' : this.hooks.key(subscript)
      if (key === '' && subscript !== undefined)
        throw new ShellError(`${name}[${subscript}]: bad array subscript`, 1, 'line')
      variable.assoc.set(key, this.cast(variable, value, variable.assoc.get(key), append))
    } else if (subscript !== undefined || variable.attrs & Attr.Array) {
      if (variable.array === undefined) {
        variable.array = []
        if (variable.value !== undefined) variable.array[0] = variable.value
        variable.value = undefined
        variable.attrs |= Attr.Array
      }
      const index = subscript === undefined ? 0 : this.index(name, subscript, variable.array.length)
      variable.array[index] = this.cast(variable, value, variable.array[index], append)
    } else variable.value = this.cast(variable, value, variable.value, append)
    this.hooks.changed(name)
  }

  /** One element of an array assignment: with or without a subscript. */
  setArray(
    name: string,
    items: readonly { readonly subscript?: string; readonly value: string; readonly append?: boolean }[],
    append: boolean,
  ): void {
    const target = this.resolve(name)
    if (target === undefined) return
    this.checkWritable(target.name)
    const variable = this.writable(target.name)
    if (this.exportAll) variable.attrs |= Attr.Export
    if (variable.attrs & Attr.Assoc) {
      const assoc = append && variable.assoc !== undefined ? variable.assoc : new Map<string, string>()
      let pendingKey: string | undefined
      const bare = items.length > 0 && items[0]!.subscript === undefined
      for (const item of items) {
        if (bare) {
          // (key value key value …)
          if (pendingKey === undefined) pendingKey = item.value
          else {
            assoc.set(pendingKey, this.cast(variable, item.value, undefined, false))
            pendingKey = undefined
          }
          continue
        }
        if (item.subscript === undefined) {
          this.hooks.warn(`${target.name}: ${item.value}: must use subscript when assigning associative array`)
          continue
        }
        const key = this.hooks.key(item.subscript)
        if (key === '') {
          this.hooks.warn(`[${item.subscript}]=${item.value}: bad array subscript`)
          continue
        }
        assoc.set(key, this.cast(variable, item.value, assoc.get(key), item.append === true))
      }
      if (pendingKey !== undefined) assoc.set(pendingKey, '')
      variable.assoc = assoc
    } else {
      let array: string[]
      if (append) {
        array = variable.array ?? []
        if (variable.array === undefined && variable.value !== undefined) array[0] = variable.value
      } else array = []
      let next = array.length
      for (const item of items) {
        if (item.subscript !== undefined) {
          let index = Number(this.hooks.arithmetic(item.subscript))
          if (index < 0) index += array.length
          if (index < 0 || index > 0xfffffffe) {
            this.hooks.warn(`[${item.subscript}]=${item.value}: bad array subscript`)
            continue
          }
          next = index
        }
        array[next] = this.cast(variable, item.value, array[next], item.append === true)
        next++
      }
      variable.array = array
      variable.value = undefined
      variable.attrs |= Attr.Array
    }
    this.hooks.changed(target.name)
  }

  /** Sets a variable without regard to attributes; for the shell's own. */
  assign(name: string, value: string | string[]): void {
    const variable = this.writable(name)
    if (typeof value === 'string') variable.value = value
    else {
      variable.array = value
      variable.attrs |= Attr.Array
    }
    this.hooks.changed(name)
  }

  /** Makes a dynamic variable. */
  define(name: string, dynamic: Dynamic, attrs = 0): void {
    this.scopes[0]!.vars.set(name, {
      value: undefined,
      array: undefined,
      assoc: undefined,
      attrs,
      owner: this.owner,
      dynamic,
    })
  }

  /** Creates a variable in the innermost function's scope, with what an outer one of that name passes on. */
  declareLocal(name: string, inherit: boolean): void {
    const scope = this.functionScope()
    if (scope === undefined || scope.vars.has(name)) return
    const outer = this.lookup(name)
    if (outer !== undefined && outer.attrs & Attr.Readonly && this.scopeOf(name)?.kind === 'global') {
      throw readonlyError(name, 'command')
    }
    const temporary = this.scopeOf(name)?.kind === 'temporary'
    const variable: Variable = { value: undefined, array: undefined, assoc: undefined, attrs: 0, owner: this.owner }
    if (outer !== undefined && (inherit || temporary)) {
      variable.value = outer.value
      variable.array = outer.array?.slice()
      variable.assoc = outer.assoc === undefined ? undefined : new Map(outer.assoc)
      variable.attrs = outer.attrs & ~Attr.Readonly
    } else if (outer !== undefined && outer.attrs & Attr.Export) variable.attrs = Attr.Export
    scope.vars.set(name, variable)
    this.hooks.changed(name)
  }

  private functionScope(): Scope | undefined {
    for (let i = this.scopes.length - 1; i >= 0; i--) if (this.scopes[i]!.kind === 'function') return this.scopes[i]
    return undefined
  }

  /** Puts an assignment before a command into the innermost, temporary scope: exported. */
  setTemporary(name: string, value: string, append: boolean): void {
    const outer = this.lookup(name)
    if (outer !== undefined && outer.attrs & Attr.Readonly) throw readonlyError(name, 'command')
    const scope = this.scopes[this.scopes.length - 1]!
    const old = scope.vars.get(name) ?? outer
    const variable: Variable = {
      value: undefined,
      array: undefined,
      assoc: undefined,
      attrs: Attr.Export | ((old?.attrs ?? 0) & (Attr.Integer | Attr.Lower | Attr.Upper)),
      owner: this.owner,
    }
    variable.value = this.cast(variable, value, this.get(name), append)
    scope.vars.set(name, variable)
    this.hooks.changed(name)
  }

  /** Changes attributes, creating the variable if need be. `global`: in the global scope, as declare -g. */
  setAttributes(name: string, add: number, remove: number, global = false): void {
    const scope = global ? this.scopes[0]! : (this.scopeOf(name) ?? this.scopes[0]!)
    const variable = this.writable(name, scope)
    if (add & Attr.Assoc && !(variable.attrs & Attr.Assoc)) {
      if (variable.attrs & Attr.Array)
        throw new ShellError(`${name}: cannot convert indexed to associative array`, 1, 'command')
      if (variable.value !== undefined) {
        variable.assoc = new Map([['0', variable.value]])
        variable.value = undefined
      }
    }
    if (add & Attr.Array && !(variable.attrs & Attr.Array)) {
      if (variable.attrs & Attr.Assoc)
        throw new ShellError(`${name}: cannot convert associative to indexed array`, 1, 'command')
      if (variable.value !== undefined) {
        variable.array = [variable.value]
        variable.value = undefined
      }
    }
    if (add & Attr.Lower) remove |= Attr.Upper | Attr.Capital
    if (add & Attr.Upper) remove |= Attr.Lower | Attr.Capital
    if (add & Attr.Capital) remove |= Attr.Lower | Attr.Upper
    variable.attrs = (variable.attrs | add) & ~(remove & ~add)
    this.hooks.changed(name)
  }

  /** Unsets a variable, or an element. @throws ShellError */
  unset(place: Place, reference = false): void {
    let { name, subscript } = place
    if (!reference) {
      const target = this.resolve(name)
      if (target === undefined) return
      name = target.name
      subscript ??= target.subscript
    }
    const variable = this.lookup(name)
    if (variable === undefined) return
    if (variable.attrs & Attr.Readonly) throw new ShellError(`${name}: cannot unset: readonly variable`, 1, 'command')
    if (subscript !== undefined && !(subscript === '@' || subscript === '*')) {
      const mine = this.writable(name)
      if (mine.attrs & Attr.Assoc) mine.assoc?.delete(this.hooks.key(subscript))
      else if (mine.attrs & Attr.Array && mine.array !== undefined) {
        const index = this.index(name, subscript, mine.array.length)
        delete mine.array[index]
        // the length follows the last element that is left
        while (mine.array.length > 0 && !(mine.array.length - 1 in mine.array)) mine.array.length--
      } else if (Number(this.hooks.arithmetic(subscript)) === 0) this.remove(name)
      else throw new ShellError(`${name}: not an array variable`, 1, 'command')
      this.hooks.changed(name)
      return
    }
    this.remove(name)
    this.hooks.changed(name)
  }

  private remove(name: string): void {
    const scope = this.scopeOf(name)
    if (scope === undefined) return
    // a local variable stays local, unset, until its function returns
    if (scope.kind === 'function' && scope === this.functionScope()) {
      scope.vars.set(name, { value: undefined, array: undefined, assoc: undefined, attrs: 0, owner: this.owner })
    } else scope.vars.delete(name)
  }

  /** @returns names of all visible variables, sorted */
  names(): string[] {
    const names = new Set<string>()
    for (const scope of this.scopes) for (const name of scope.vars.keys()) names.add(name)
    return [...names].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  }

  /** @returns names of the innermost function's own variables, sorted */
  localNames(): string[] {
    return [...(this.functionScope()?.vars.keys() ?? [])].sort()
  }

  /** @returns whether a variable belongs to the innermost function */
  isLocal(name: string): boolean {
    return this.functionScope()?.vars.has(name) === true
  }

  /** @returns whether a name has a value (an array: an element 0, or any at all with `anyElement`) */
  isSet(name: string, anyElement = false): boolean {
    if (anyElement) return (this.elements(name)?.values.length ?? 0) > 0
    return this.get(name) !== undefined
  }

  /** @returns name and value of all exported variables */
  exported(): Map<string, string> {
    const out = new Map<string, string>()
    for (const scope of this.scopes) {
      for (const [name, variable] of scope.vars) {
        if (variable.attrs & Attr.Export && !(variable.attrs & (Attr.Array | Attr.Assoc | Attr.Nameref))) {
          const value = variable.dynamic === undefined ? variable.value : variable.dynamic.get()
          if (typeof value === 'string') out.set(name, value)
          else out.delete(name)
        } else out.delete(name)
      }
    }
    return out
  }
}

/** @returns a byte string with its ASCII letters in lower case */
export function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, letters => letters.toLowerCase())
}

/** @returns a byte string with its ASCII letters in upper case */
export function upperCase(text: string): string {
  return text.replace(/[a-z]+/g, letters => letters.toUpperCase())
}

/** @returns the keys of an associative array in the order in which bash's hash table has them */
export function hashOrder(map: ReadonlyMap<string, string>): string[] {
  // 1024 buckets, four times as many whenever there are two entries a bucket; a new entry is the first of its bucket
  let buckets = 1024
  while (map.size > buckets * 2) buckets *= 4
  return [...map.keys()]
    .map((key, age) => ({ key, age, bucket: hash(key) & (buckets - 1) }))
    .sort((a, b) => a.bucket - b.bucket || b.age - a.age)
    .map(entry => entry.key)
}

/** FNV-1, over signed characters. */
function hash(key: string): number {
  let h = 2166136261
  for (let i = 0; i < key.length; i++) {
    const byte = key.charCodeAt(i)
    h = Math.imul(h, 16777619) ^ (byte > 0x7f ? byte - 256 : byte)
  }
  return h >>> 0
}

function readonlyError(name: string, severity: ShellError['severity']): ShellError {
  const error = new ShellError(`${name}: readonly variable`, 1, severity)
  error.whole = true
  return error
}
