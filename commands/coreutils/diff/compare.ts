/** The comparison itself: Myers' algorithm, "An O(ND) Difference Algorithm and Its Variations" (1986). */

/** What is replaced: lines `a`…`a + deleted` of one file by lines `b`…`b + inserted` of the other, from 0. */
export interface Hunk {
  readonly a: number
  readonly deleted: number
  readonly b: number
  readonly inserted: number
}

/** For each line of both files, whether it is part of a change. */
export interface Changes {
  readonly a: boolean[]
  readonly b: boolean[]
}

/** Compares two lists of lines. */
export function compare(a: readonly string[], b: readonly string[]): Changes {
  const ids = new Map<string, number>()
  const number = (line: string): number => {
    let id = ids.get(line)
    if (id === undefined) {
      id = ids.size
      ids.set(line, id)
    }
    return id
  }
  const x = a.map(number)
  const y = b.map(number)
  const changes: Changes = { a: x.map(() => false), b: y.map(() => false) }
  let start = 0
  while (start < x.length && start < y.length && x[start] === y[start]) start++
  let endX = x.length
  let endY = y.length
  while (endX > start && endY > start && x[endX - 1] === y[endY - 1]) {
    endX--
    endY--
  }
  divide(x, y, start, endX, start, endY, changes)
  shift(x, changes.a, changes.b)
  shift(y, changes.b, changes.a)
  return changes
}

/** Divide and conquer at the middle snake. */
function divide(
  x: readonly number[],
  y: readonly number[],
  x0: number,
  x1: number,
  y0: number,
  y1: number,
  changes: Changes,
): void {
  let left = x0
  let right = x1
  let top = y0
  let bottom = y1
  while (left < right && top < bottom && x[left] === y[top]) {
    left++
    top++
  }
  while (left < right && top < bottom && x[right - 1] === y[bottom - 1]) {
    right--
    bottom--
  }
  if (left === right) {
    for (let i = top; i < bottom; i++) changes.b[i] = true
    return
  }
  if (top === bottom) {
    for (let i = left; i < right; i++) changes.a[i] = true
    return
  }
  const [mx, my] = middle(x, y, left, right, top, bottom)
  divide(x, y, left, mx, top, my, changes)
  divide(x, y, mx, right, my, bottom, changes)
}

/** @returns a point on a shortest path, halfway */
function middle(
  x: readonly number[],
  y: readonly number[],
  x0: number,
  x1: number,
  y0: number,
  y1: number,
): [number, number] {
  const dmin = x0 - y1
  const dmax = x1 - y0
  const fmid = x0 - y0
  const bmid = x1 - y1
  const odd = ((fmid - bmid) & 1) !== 0
  const offset = -dmin + 1
  const forward = new Int32Array(dmax - dmin + 3).fill(-1)
  const backward = new Int32Array(dmax - dmin + 3).fill(0x7fffffff)
  let fmin = fmid
  let fmax = fmid
  let bmin = bmid
  let bmax = bmid
  forward[fmid + offset] = x0
  backward[bmid + offset] = x1
  for (;;) {
    if (fmin > dmin) forward[--fmin - 1 + offset] = -1
    else fmin++
    if (fmax < dmax) forward[++fmax + 1 + offset] = -1
    else fmax--
    for (let d = fmax; d >= fmin; d -= 2) {
      const low = forward[d - 1 + offset]!
      const high = forward[d + 1 + offset]!
      let i = low < high ? high : low + 1
      let j = i - d
      while (i < x1 && j < y1 && x[i] === y[j]) {
        i++
        j++
      }
      forward[d + offset] = i
      if (odd && bmin <= d && d <= bmax && backward[d + offset]! <= i) return [i, j]
    }
    if (bmin > dmin) backward[--bmin - 1 + offset] = 0x7fffffff
    else bmin++
    if (bmax < dmax) backward[++bmax + 1 + offset] = 0x7fffffff
    else bmax--
    for (let d = bmax; d >= bmin; d -= 2) {
      const low = backward[d - 1 + offset]!
      const high = backward[d + 1 + offset]!
      let i = low < high ? low : high - 1
      let j = i - d
      while (x0 < i && y0 < j && x[i - 1] === y[j - 1]) {
        i--
        j--
      }
      backward[d + offset] = i
      if (!odd && fmin <= d && d <= fmax && i <= forward[d + offset]!) return [i, j]
    }
  }
}

/** Moves runs of changes so that they join others where they can, else as far down as they go. */
function shift(lines: readonly number[], changed: boolean[], other: readonly boolean[]): void {
  let i = 0
  let j = 0
  const end = lines.length
  for (;;) {
    while (i < end && !changed[i]) {
      while (other[j++] === true);
      i++
    }
    if (i === end) return
    let start = i
    while (changed[++i] === true);
    while (other[j] === true) j++
    let length: number
    let corresponding: number
    do {
      length = i - start
      while (start > 0 && lines[start - 1] === lines[i - 1]) {
        changed[--start] = true
        changed[--i] = false
        while (changed[start - 1] === true) start--
        while (other[--j] === true);
      }
      corresponding = j > 0 && other[j - 1] === true ? i : end
      while (i !== end && lines[start] === lines[i]) {
        changed[start++] = false
        changed[i++] = true
        while (changed[i] === true) i++
        while (other[++j] === true) corresponding = i
      }
    } while (length !== i - start)
    while (corresponding < i) {
      changed[--start] = true
      changed[--i] = false
      while (other[--j] === true);
    }
  }
}

/** @returns the changes as hunks, in order */
export function script(changes: Changes, lengthA: number, lengthB: number): Hunk[] {
  const hunks: Hunk[] = []
  let i = 0
  let j = 0
  while (i < lengthA || j < lengthB) {
    if (changes.a[i] === true || changes.b[j] === true) {
      const a = i
      const b = j
      while (changes.a[i] === true) i++
      while (changes.b[j] === true) j++
      hunks.push({ a, deleted: i - a, b, inserted: j - b })
    } else {
      i++
      j++
    }
  }
  return hunks
}
