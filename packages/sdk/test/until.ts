import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

const UNTIL_MS_MAX = 20_000;

/** Resolves when the condition holds; rejects with what it says is missing, or its source, when that takes too long. */
export async function until(
  condition: () => boolean | string | Promise<boolean | string>,
  msMax: number = UNTIL_MS_MAX,
): Promise<void> {
  const endMs = performance.now() + msMax;
  for (;;) {
    const held = await condition();
    if (held === true) return;
    const missing = held === false ? `it did not come true: ${String(condition)}` : held;
    assert.ok(performance.now() < endMs, missing);
    await pause(5);
  }
}
