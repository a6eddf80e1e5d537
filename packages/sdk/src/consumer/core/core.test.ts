import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePositions, isCovered, newLease } from './lease.ts';
import { LeaseWatch } from './lease-watch.ts';
import { backoffMs, INITIAL_PACE, paceAfterRead, paceAfterThrottling } from './pace.ts';

test('positions are ordered by number, not by text, and a whole record is behind its parts', () => {
  const at = (sequenceNumber: string, subSequenceNumber?: number) => ({ sequenceNumber, subSequenceNumber });
  const ordered = [at('9'), at('10', 0), at('10', 1), at('10'), at('11', 5)];
  ordered.forEach((a, i) =>
    ordered.forEach((b, j) => assert.equal(Math.sign(comparePositions(a, b)), Math.sign(i - j))),
  );
});

test('a checkpoint within an aggregated record covers its first part only', () => {
  const checkpoint = { kind: 'after', sequenceNumber: '10', subSequenceNumber: 1 } as const;
  const covered = (sequenceNumber: string, subSequenceNumber?: number) =>
    isCovered({ sequenceNumber, subSequenceNumber }, checkpoint);
  assert.deepEqual(
    [covered('9'), covered('10', 1), covered('10', 2), covered('11')],
    [true, true, false, false],
  );
  assert.equal(isCovered({ sequenceNumber: '1' }, { kind: 'trim-horizon' }), false);
});

test('a lease is still only as long as its counter was seen to stand', () => {
  const watch = new LeaseWatch();
  const lease = newLease('s', [], { kind: 'trim-horizon' });
  assert.equal(watch.stillMs('s', 5_000), 0);
  watch.observe([lease], 5_000);
  watch.observe([lease], 6_000);
  assert.equal(watch.stillMs('s', 6_500), 1_500);
  watch.observe([{ ...lease, counter: 1 }], 7_000);
  assert.equal(watch.stillMs('s', 7_100), 100);
  watch.observe([], 8_000);
  watch.observe([{ ...lease, counter: 1 }], 9_000);
  assert.equal(watch.stillMs('s', 9_000), 0);
});

test('reading pauses longer and longer while nothing comes, and not at all while it is behind', () => {
  const limits = { pollMsMin: 100, pollMsMax: 1_000 };
  let pace = INITIAL_PACE;
  const pauses = Array.from({ length: 6 }, () => {
    pace = paceAfterRead(pace, { records: 0, isBehind: false }, limits);
    return pace.pauseMs;
  });
  assert.deepEqual(pauses, [100, 200, 400, 800, 1_000, 1_000]);
  assert.equal(paceAfterRead(pace, { records: 1, isBehind: false }, limits).pauseMs, 100);
  assert.equal(paceAfterRead(pace, { records: 0, isBehind: true }, limits).pauseMs, 0);
});

test('throttling leaves a pause that melts away', () => {
  const limits = { pollMsMin: 100, pollMsMax: 1_000 };
  let pace = paceAfterThrottling(paceAfterThrottling(INITIAL_PACE, limits), limits);
  assert.equal(pace.pauseMs, 400);
  const pauses: number[] = [];
  while (pace.pauseMs > 0) {
    pace = paceAfterRead(pace, { records: 1, isBehind: true }, limits);
    pauses.push(pace.pauseMs);
    assert.ok(pauses.length < 100);
  }
  assert.ok(pauses.length > 10);
});

test('tries wait between half and all of a doubling pause with an end', () => {
  const backoff = { baseMs: 100, capMs: 1_000 };
  assert.deepEqual(
    [0, 1, 2, 10, 5_000].map((failures) => backoffMs(backoff, failures, () => 0)),
    [50, 100, 200, 500, 500],
  );
  assert.equal(
    backoffMs(backoff, 1, () => 1),
    200,
  );
});
