/** What every Clock does. `pass` lets time go on by at least `ms`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Clock } from './clock.ts';

export function clockContract(
  name: string,
  make: () => { clock: Clock; pass: (ms: number) => Promise<void> },
): void {
  describe(`Clock: ${name}`, () => {
    test('time goes on', async () => {
      const { clock, pass } = make();
      const [wall, monotonic] = [clock.nowMs(), clock.monotonicMs()];
      await pass(20);
      assert.ok(clock.monotonicMs() - monotonic >= 15);
      assert.ok(clock.nowMs() - wall >= 15);
    });

    test('a timer fires once, and not after it was cancelled', async () => {
      const { clock, pass } = make();
      const fired: string[] = [];
      clock.timer(10, () => fired.push('first'));
      const cancelled = clock.timer(10, () => fired.push('cancelled'));
      cancelled.cancel();
      cancelled.cancel();
      await pass(60);
      assert.deepEqual(fired, ['first']);
    });

    test('timers fire in the order of their times', async () => {
      const { clock, pass } = make();
      const fired: number[] = [];
      for (const ms of [40, 1, 20]) clock.timer(ms, () => fired.push(ms));
      await pass(100);
      assert.deepEqual(fired, [1, 20, 40]);
    });

    test('a sleep ends after its time, or with the reason of its signal', async () => {
      const { clock, pass } = make();
      const slept = clock.sleep(10);
      const controller = new AbortController();
      const aborted = assert.rejects(clock.sleep(1_000_000_000_000, controller.signal), /enough/);
      await pass(30);
      await slept;
      controller.abort(new Error('enough'));
      await aborted;
      await assert.rejects(clock.sleep(10, AbortSignal.abort(new Error('before'))), /before/);
    });
  });
}
