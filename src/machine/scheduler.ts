/**
 * The scheduler: who runs, and when virtual time passes.
 *
 * Programs are async functions that block only in system calls, so once the host's microtasks are drained every
 * process is parked in one. Then, and only then, a *turn* begins: it lets processes run that merely gave up the CPU, or
 * else runs the clock's events until one of them wakes a process. Nothing here depends on the host's speed, except
 * in step with the wall, where an event also waits for its wall time.
 */
import { type Clock, NSEC_PER_SEC } from '../kernel/core/clock.ts'

/** Events that one turn runs at most before the host gets a chance (timers, signals, input). */
const EVENTS_PER_TURN = 2000
/** Turns between two visits to the host's event loop at most, so that it can stop a busy machine. */
const TURNS_PER_VISIT = 64
/** Time on the wall between two visits, ms: one turn may be long. */
const VISIT_INTERVAL = 20
/** Events after which a turn looks at the time. */
const EVENTS_PER_LOOK = 16
/** Late events that one system call lets in, so that a storm of them cannot hold a process for ever. */
const EVENTS_PER_INTERRUPT = 256
/** Virtual time without any process waking or waiting for a time, after which nothing will ever come, ns. */
const IDLE_LIMIT = 86_400 * NSEC_PER_SEC
/** The same while a terminal waits for its user: what is under way may end, but time does not run on and on, ns. */
const INPUT_GRACE = 10 * NSEC_PER_SEC
/** In step with the wall: how far the machine may fall behind before it gives up catching up, ns. */
const MAX_LAG = 2 * NSEC_PER_SEC

/** Every process waits, and nothing that could wake one will ever happen. */
export class Deadlock extends Error {
  constructor(detail: string) {
    super(`every process waits for something that cannot come: ${detail}`)
    this.name = 'Deadlock'
  }
}

/** Who is waiting for the machine to reach some state. */
interface Driver {
  done: boolean
  stop(error: Error): void
}

/** An operation of the host that a process waits for. */
interface External {
  settled: boolean
  deliver(): void
}

/** Drives the clock and the processes of one machine. */
export class Scheduler {
  readonly clock: Clock
  /** processes waken since the turn began; whoever ends a sleep counts here */
  wakeups = 0
  /** sleeps under way that end at a certain time */
  timedSleeps = 0
  /** host inputs a process waits for, during which virtual time stands still (free-running only) */
  heldInputs = 0
  /** host inputs a process waits for at all */
  awaitedInputs = 0
  /** says who waits for what, for Deadlock's message */
  describeWaiters: () => string = () => ''
  private runnable: (() => void)[] = []
  private readonly externals: External[] = []
  private drivers: Driver[] = []
  private running = false
  private kicked: (() => void) | undefined
  private lastWake = 0
  private wallStart: number | undefined
  private wallClockStart = 0
  private failure: Error | undefined
  /** when the host's event loop is due again, ms of performance.now */
  private visitDue = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Whether events wait for their wall time. */
  get realTime(): boolean {
    return this.wallStart !== undefined
  }

  /** Runs in step with the wall clock from now on, or (false) free again. */
  setRealTime(on: boolean): void {
    if (on === this.realTime) return
    this.wallStart = on ? performance.now() : undefined
    this.wallClockStart = this.clock.now
    this.kick()
  }

  /** Wakes the machine where it waits for the host: input has come. */
  kick(): void {
    const kicked = this.kicked
    this.kicked = undefined
    kicked?.()
  }

  /** Resumes `fn` at the next turn: a process that gives up the CPU, not one that waits. */
  requeue(fn: () => void): void {
    this.runnable.push(fn)
  }

  /**
   * Waits for an operation of the host, such as loading a program. No virtual time passes meanwhile, and results are
   * delivered in the order of the requests, at a turn: when the host finishes makes no difference to any process.
   */
  external<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const external: External = { settled: false, deliver: () => {} }
      this.externals.push(external)
      const settle = (deliver: () => void): void => {
        external.settled = true
        external.deliver = deliver
        this.kick()
      }
      promise.then(
        value => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error instanceof Error ? error : new Error(String(error)))),
      )
    })
  }

  /**
   * Runs events that are due; called from system calls, as an interrupt comes on the way back to user mode. What an event
   * throws is none of the process's business: it ends the run.
   */
  interrupts(): void {
    const { clock } = this
    try {
      for (let n = EVENTS_PER_INTERRUPT; n > 0 && clock.nextTime() <= clock.now; n--) clock.runNext()
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Stops every `run` under way with an error: a limit was reached, or the user interrupts. */
  abort(error: Error): void {
    this.failure = error
    this.kick()
  }

  /**
   * Lets the machine run until a promise settles.
   * @returns its value; throws its error, Deadlock, or what `abort` was given
   */
  async run<T>(until: Promise<T>): Promise<T> {
    const outcome = new Promise<T>((resolve, reject) => {
      const driver: Driver = {
        done: false,
        stop: error => {
          driver.done = true
          reject(error)
        },
      }
      this.drivers.push(driver)
      const finish = (): void => {
        driver.done = true
        this.kick()
      }
      until.then(
        value => {
          finish()
          resolve(value)
        },
        (error: unknown) => {
          finish()
          reject(error instanceof Error ? error : new Error(String(error)))
        },
      )
    })
    if (!this.running) void this.loop()
    return outcome
  }

  private async loop(): Promise<void> {
    this.running = true
    this.failure = undefined
    this.lastWake = this.clock.now
    let visits = 0
    try {
      for (;;) {
        // not before every microtask has run: then all processes are parked
        if (++visits >= TURNS_PER_VISIT || performance.now() >= this.visitDue) {
          visits = 0
          await new Promise<void>(resolve => setImmediate(resolve))
          this.visitDue = performance.now() + VISIT_INTERVAL
        } else await new Promise<void>(resolve => process.nextTick(resolve))
        this.drivers = this.drivers.filter(driver => !driver.done)
        if (this.drivers.length === 0) return
        if (this.failure !== undefined) throw this.failure
        const wait = this.turn()
        if (wait > 0) {
          await this.pause(wait)
          visits = TURNS_PER_VISIT
        }
      }
    } catch (error) {
      const stopped = this.drivers
      this.drivers = []
      for (const driver of stopped) driver.stop(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.running = false
      this.kicked = undefined
    }
  }

  /** One turn. @returns milliseconds to wait for the host, Infinity for as long as it takes, 0 to go on */
  private turn(): number {
    if (this.externals.length > 0) {
      if (!this.externals[0]!.settled) return Number.POSITIVE_INFINITY
      // one a turn, settled later or not: what a process does with its result always comes before the next result
      this.externals.shift()!.deliver()
      return 0
    }
    if (this.wallStart !== undefined) return this.wallTurn(this.wallStart)
    if (this.runnable.length > 0) {
      this.interrupts()
      this.resumeRunnable()
      return 0
    }
    if (this.heldInputs > 0) return Number.POSITIVE_INFINITY
    const { clock } = this
    this.wakeups = 0
    const limit = this.awaitedInputs > 0 ? INPUT_GRACE : IDLE_LIMIT
    for (let n = EVENTS_PER_TURN; n > 0; n--) {
      const next = clock.nextTime()
      if (next === Number.POSITIVE_INFINITY || (this.timedSleeps === 0 && next - this.lastWake > limit)) {
        if (this.awaitedInputs > 0) return Number.POSITIVE_INFINITY
        throw new Deadlock(this.describeWaiters())
      }
      clock.runNext()
      if (this.wakeups > 0) {
        this.lastWake = clock.now
        return 0
      }
      if (n % EVENTS_PER_LOOK === 0 && performance.now() >= this.visitDue) return 0
    }
    return 0
  }

  /** A turn in step with the wall: what is due by now runs, then the machine sleeps until the next event. */
  private wallTurn(wallStart: number): number {
    const { clock } = this
    const target = this.wallClockStart + (performance.now() - wallStart) * 1e6
    this.wakeups = 0
    for (let n = EVENTS_PER_TURN; n > 0 && clock.nextTime() <= target; n--) {
      clock.runNext()
      if (this.wakeups > 0 || (n % EVENTS_PER_LOOK === 0 && performance.now() >= this.visitDue)) break
    }
    if (this.wakeups === 0 && clock.now < target && clock.nextTime() > target) clock.runUntil(target)
    if (target - clock.now > MAX_LAG) {
      this.wallStart = performance.now()
      this.wallClockStart = clock.now
    }
    if (this.runnable.length > 0) {
      this.resumeRunnable()
      return 0
    }
    if (this.wakeups > 0) return 0
    const next = clock.nextTime()
    if (next <= target) return 0
    if (next === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY
    return Math.max((next - target) / 1e6, 0.05)
  }

  private resumeRunnable(): void {
    const batch = this.runnable
    this.runnable = []
    for (const resume of batch) resume()
    this.lastWake = this.clock.now
  }

  /** Waits for `kick`, at most `ms`. */
  private pause(ms: number): Promise<void> {
    return new Promise<void>(resolve => {
      let timer: NodeJS.Timeout | undefined
      // a timer that never matters keeps the host's event loop alive while input is awaited
      timer = setTimeout(() => this.kick(), Math.min(ms, 60_000))
      this.kicked = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
