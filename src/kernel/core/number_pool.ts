/** Numbers given out lowest first, and used again: what Linux keeps in an IDA. */
export class NumberPool {
  private readonly used = new Set<number>()
  /** no lower number is free */
  private lowest: number

  constructor(first: number) {
    this.lowest = first
  }

  /** @returns the lowest number that nobody has */
  allocate(): number {
    while (this.used.has(this.lowest)) this.lowest++
    return this.take(this.lowest)
  }

  /** Marks a number as given out. */
  take(number: number): number {
    this.used.add(number)
    return number
  }

  free(number: number): void {
    if (this.used.delete(number) && number < this.lowest) this.lowest = number
  }
}
