import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

const UNTIL_MS_MAX = 20_000;

/** Resolves when the condition holds; rejects with its source when that takes too long. */
export async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + UNTIL_MS_MAX;
  while (!condition()) {
    assert.ok(performance.now() < endMs, `it did not come true: ${String(condition)}`);
    await pause(5);
  }
}
