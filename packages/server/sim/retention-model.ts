/** For how long each stream must keep its records, while that is changed and processes crash in the middle of it. */
import assert from 'node:assert/strict';

const HOUR_MS = 3_600_000;

interface Kept {
  /** As it was acknowledged last. */
  hours: number;
  /** Asked for and not answered: it is in force, or is not. */
  asked: number | undefined;
  /** What arrived before it may be gone for good. */
  goneBeforeMs: number;
}

export class RetentionModel {
  readonly #kept = new Map<string, Kept>();

  constructor(streams: readonly string[]) {
    for (const stream of streams)
      this.#kept.set(stream, { hours: 24, asked: undefined, goneBeforeMs: -Infinity });
  }

  /** Records that arrived at or after it must be there. */
  keptFromMs(stream: string, nowMs: number): number {
    const kept = this.#kept.get(stream)!;
    const least = Math.min(kept.hours, kept.asked ?? Infinity);
    kept.goneBeforeMs = Math.max(kept.goneBeforeMs, nowMs - least * HOUR_MS);
    return kept.goneBeforeMs;
  }

  isChanging(stream: string): boolean {
    return this.#kept.get(stream)!.asked !== undefined;
  }

  asks(stream: string, hours: number, nowMs: number): void {
    this.keptFromMs(stream, nowMs);
    this.#kept.get(stream)!.asked = hours;
  }

  /** The change was refused. */
  isNot(stream: string): void {
    this.#kept.get(stream)!.asked = undefined;
  }

  /** The change was acknowledged, or a start says what is in force: what was acknowledged, or what was asked for. */
  is(stream: string, hours: number, nowMs: number): void {
    this.keptFromMs(stream, nowMs);
    const kept = this.#kept.get(stream)!;
    assert.ok(
      hours === kept.asked || hours === kept.hours,
      `${stream} is kept for ${hours} hours, not for ${kept.hours} or ${kept.asked}`,
    );
    kept.hours = hours;
    kept.asked = undefined;
  }
}
