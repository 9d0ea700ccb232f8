/** random(3) of the GNU C library: the additive feedback generator, from which mawk's rand() comes. */

const DEGREE = 31
const SEPARATION = 3

export class Random {
  private readonly state = new Int32Array(DEGREE)
  private front = SEPARATION
  private rear = 0

  constructor(seed: number) {
    let word = Math.trunc(seed) | 0
    if (word === 0) word = 1
    this.state[0] = word
    for (let i = 1; i < DEGREE; i++) {
      const high = Math.trunc(word / 127773)
      const low = word % 127773
      word = 16807 * low - 2836 * high
      if (word < 0) word += 2147483647
      this.state[i] = word
    }
    for (let i = 0; i < DEGREE * 10; i++) this.next()
  }

  /** @returns a number from 0 to 2^31 - 1 */
  next(): number {
    const sum = (this.state[this.front]! + this.state[this.rear]!) | 0
    this.state[this.front] = sum
    this.front = (this.front + 1) % DEGREE
    this.rear = (this.rear + 1) % DEGREE
    return sum >>> 1
  }
}
