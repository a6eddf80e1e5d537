import type { HttpLimits } from './limits.ts';

/** Bytes of bodies that the process holds at this moment, over all connections. */
export class BodyBudget {
  #bytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when the bytes would go over the bound; they are then not counted. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export type BodyProblem = 'too-large' | 'overloaded';

/** First allocation for a body: what a client only announces must not cost memory. */
const ALLOCATED_BYTES_FIRST = 256 * 1024;
const GROWTH = 4;
const EMPTY = Buffer.alloc(0);

/** Gathers one request's body in one buffer. The bytes count against the budget until `release`. */
export class Body {
  readonly #budget: BodyBudget;
  readonly #bytesMax: number;
  readonly #declaredBytes: number | undefined;
  #buffer: Buffer = EMPTY;
  #bytes = 0;
  #released = false;

  constructor(limits: HttpLimits, budget: BodyBudget, declaredBytes: number | undefined) {
    this.#budget = budget;
    this.#bytesMax = limits.bodyBytesMax;
    this.#declaredBytes = declaredBytes;
  }

  /** Keeps `chunk`, which must not change after. */
  add(chunk: Buffer): BodyProblem | undefined {
    const bytes = this.#bytes + chunk.length;
    if (bytes > this.#bytesMax) return 'too-large';
    if (!this.#budget.take(chunk.length)) return 'overloaded';
    if (this.#bytes === 0) {
      this.#buffer = chunk;
    } else {
      if (bytes > this.#buffer.length) this.#grow(bytes);
      chunk.copy(this.#buffer, this.#bytes);
    }
    this.#bytes = bytes;
    return undefined;
  }

  /** All bytes so far; the caller's until `release`. */
  get whole(): Buffer {
    return this.#buffer.length === this.#bytes ? this.#buffer : this.#buffer.subarray(0, this.#bytes);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#budget.give(this.#bytes);
    this.#buffer = EMPTY;
  }

  #grow(bytes: number): void {
    const wanted = Math.max(ALLOCATED_BYTES_FIRST, bytes, this.#buffer.length * GROWTH);
    const larger = Buffer.allocUnsafeSlow(
      Math.min(wanted, Math.max(bytes, this.#declaredBytes ?? this.#bytesMax)),
    );
    this.#buffer.copy(larger, 0, 0, this.#bytes);
    this.#buffer = larger;
  }
}
