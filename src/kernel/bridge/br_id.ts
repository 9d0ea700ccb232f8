/** Bridge identifiers of the spanning tree: priority, then address (IEEE 802.1D 9.2.5). */

/** An identifier; it compares as eight bytes. */
export class BridgeId {
  priority: number
  address: Uint8Array

  constructor(priority = 0, address: Uint8Array = new Uint8Array(6)) {
    this.priority = priority
    this.address = address.slice()
  }

  /** @returns a copy */
  copy(): BridgeId {
    return new BridgeId(this.priority, this.address)
  }

  /** @returns below 0 where this one is better (smaller), 0 where they are the same */
  compare(other: BridgeId): number {
    if (this.priority !== other.priority) return this.priority - other.priority
    for (let i = 0; i < 6; i++) {
      const difference = this.address[i]! - other.address[i]!
      if (difference !== 0) return difference
    }
    return 0
  }

  /** @returns whether it is the same identifier */
  equals(other: BridgeId): boolean {
    return this.compare(other) === 0
  }

  /** @returns it as sysfs shows it, such as `8000.020000000001` */
  toString(): string {
    const hex = Array.from(this.address, byte => byte.toString(16).padStart(2, '0')).join('')
    return `${this.priority.toString(16).padStart(4, '0')}.${hex}`
  }
}
