import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SimClock } from '../adapters/sim/index.ts';
import type { Logger } from '../ports/observe.ts';
import { Lifecycle } from './lifecycle.ts';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

describe('the lifecycle', () => {
  test('starts roles in order and stops them in the reverse', async () => {
    const events: string[] = [];
    const lifecycle = new Lifecycle(new SimClock(), quiet);
    for (const name of ['metadata', 'streams', 'edge'] as const) {
      await lifecycle.start(name, () => ({ close: () => void events.push(name) }));
    }
    assert.deepEqual(
      lifecycle.status().map(({ state }) => state),
      ['running', 'running', 'running'],
    );
    await lifecycle.close();
    assert.deepEqual(events, ['edge', 'streams', 'metadata']);
    assert.deepEqual(
      lifecycle.status().map(({ state }) => state),
      ['stopped', 'stopped', 'stopped'],
    );
  });

  test('stops what runs when a role can not start, and passes its error on', async () => {
    const lifecycle = new Lifecycle(new SimClock(), quiet);
    let closed = false;
    await lifecycle.start('metadata', () => ({ close: () => void (closed = true) }));
    const failure = lifecycle.start('streams', () => Promise.reject(new Error('damaged')));
    await assert.rejects(failure, /damaged/);
    assert.ok(closed);
    assert.deepEqual(lifecycle.status(), [
      { name: 'metadata', state: 'stopped' },
      { name: 'streams', state: 'failed' },
    ]);
  });

  test('goes on past a role that does not stop, or fails to', async () => {
    const clock = new SimClock();
    const lifecycle = new Lifecycle(clock, quiet);
    let closed = false;
    await lifecycle.start('metadata', () => ({ close: () => void (closed = true) }));
    await lifecycle.start('streams', () => ({ close: () => Promise.reject(new Error('stuck')) }));
    await lifecycle.start('delivery', () => ({ close: () => new Promise<void>(() => {}) }));
    const stopped = lifecycle.close();
    clock.advance(10_000);
    await stopped;
    assert.ok(closed);
    assert.deepEqual(
      lifecycle.status().map(({ state }) => state),
      ['stopped', 'failed', 'failed'],
    );
  });
});
