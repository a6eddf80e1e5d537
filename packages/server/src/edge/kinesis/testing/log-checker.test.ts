import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLog, type AcknowledgedPut, type History, type SeenRun, type Violation } from './log-checker.ts';

/** A good history: three shards, `b` and `c` made of `a`, eight records of two keys. */
function history(): { puts: AcknowledgedPut[]; runs: SeenRun[]; shards: History['shards'] } {
  const puts = Array.from({ length: 8 }, (_, n) => ({
    shard: n < 4 ? 'a' : n % 2 === 0 ? 'b' : 'c',
    number: BigInt(n < 4 ? n : (n % 2 === 0 ? 100 : 200) + n),
    key: `k${n % 2}`,
    value: `v${n}`,
    sentAt: 2 * n,
    answeredAt: 2 * n + 1,
    arrivalMs: n,
  }));
  const run = (shard: string): SeenRun => ({
    shard,
    records: puts.filter((put) => put.shard === shard),
    complete: { keptFromMs: 0, at: 99 },
  });
  const shards = [
    { id: 'a', parents: [] },
    { id: 'b', parents: ['a'] },
    { id: 'c', parents: ['a'] },
  ];
  return { puts, runs: ['a', 'b', 'c'].map(run), shards };
}
type Good = ReturnType<typeof history>;

/** The good history as one consumer has it, whom nobody else's reads help: subscriptions to the ends of the shards. */
function subscribed(): Good {
  const good = history();
  const runs = good.runs.map(({ shard, records }) => ({ shard, records, from: 0n, ended: shard === 'a' }));
  return { ...good, runs };
}

const withRun = (good: Good, at: number, change: (run: SeenRun) => Partial<SeenRun>): History => ({
  ...good,
  runs: good.runs.map((run, index) => (index === at ? { ...run, ...change(run) } : run)),
});
const withPut = (good: Good, at: number, change: Partial<AcknowledgedPut>): AcknowledgedPut[] =>
  good.puts.map((put, index) => (index === at ? { ...put, ...change } : put));

test('a good history has no findings', () => {
  assert.deepEqual(checkLog(history()), []);
  assert.deepEqual(checkLog(subscribed()), []);
});

test('what retention removed is not lost', () => {
  const trimmed = withRun(history(), 0, ({ records }) => ({
    records: records.slice(2),
    complete: { keptFromMs: 2, at: 99 },
  }));
  assert.deepEqual(checkLog(trimmed), []);
});

test('what expired before a subscription came to it is not left out, and what others put may be there once', () => {
  const good = subscribed();
  const late = withRun(good, 0, ({ records }) => ({ records: records.slice(2), mayMissBeforeMs: 2 }));
  assert.deepEqual(checkLog(late), []);
  const unanswered = { ...good, puts: good.puts.slice(0, -1), attempts: [good.puts.at(-1)!] };
  assert.deepEqual(checkLog(unanswered), []);
});

test('what was put after a read is not missed in it', () => {
  const early = withRun(history(), 0, ({ records }) => ({
    records: records.slice(0, 3),
    complete: { keptFromMs: 0, at: 6 },
  }));
  assert.deepEqual(checkLog(early), []);
});

const MUTATIONS: readonly [string, Violation, (good: Good) => History][] = [
  [
    'the last record is not there',
    'lost',
    (good) => withRun(good, 0, ({ records }) => ({ records: records.slice(0, -1) })),
  ],
  [
    'the first record is not there',
    'lost',
    (good) => withRun(good, 1, ({ records }) => ({ records: records.slice(1) })),
  ],
  [
    'a record is there twice, under another number',
    'duplicated',
    (good) =>
      withRun(good, 2, ({ records }) => ({ records: [...records, { ...records[0]!, number: 999n }] })),
  ],
  [
    'a record of nobody',
    'never-put',
    (good) =>
      withRun(good, 1, ({ records }) => ({ records: [...records, { number: 999n, key: 'k', value: 'x' }] })),
  ],
  [
    'a record is in another shard than was told',
    'other-number',
    (good) => ({ ...good, puts: withPut(good, 5, { shard: 'b' }) }),
  ],
  [
    'a second read gives other content',
    'other-content',
    (good) => ({
      ...good,
      runs: [...good.runs, { shard: 'a', records: [{ number: 1n, key: 'k1', value: 'v3' }] }],
    }),
  ],
  [
    'an iterator skips a record that others saw',
    'left-out',
    (good) => ({ ...good, runs: [...good.runs, { shard: 'a', records: [good.puts[0]!, good.puts[2]!] }] }),
  ],
  [
    'a subscription skips a record',
    'left-out',
    () => withRun(subscribed(), 0, ({ records }) => ({ records: records.toSpliced(1, 1) })),
  ],
  [
    'a subscription skips a record that had not expired',
    'left-out',
    () =>
      withRun(subscribed(), 0, ({ records }) => ({ records: records.toSpliced(2, 1), mayMissBeforeMs: 2 })),
  ],
  [
    'a subscription begins after its start',
    'left-out',
    () => withRun(subscribed(), 1, ({ records }) => ({ records: records.slice(1) })),
  ],
  [
    'a subscription that goes on gets a record again',
    'numbers-fall',
    () => withRun(subscribed(), 0, ({ records }) => ({ records: records.toSpliced(2, 0, records[1]!) })),
  ],
  [
    'a closed shard ends before its last record',
    'left-out',
    () => withRun(subscribed(), 0, ({ records }) => ({ records: records.slice(0, -1) })),
  ],
  [
    'a closed shard ends, and gave nothing',
    'left-out',
    () => withRun(subscribed(), 0, () => ({ records: [] })),
  ],
  [
    'a record without an answer is there twice',
    'duplicated',
    (good) => ({
      ...withRun(good, 2, ({ records }) => ({ records: [...records, { ...records[0]!, number: 999n }] })),
      puts: good.puts.filter(({ value }) => value !== 'v5'),
      attempts: [good.puts[5]!],
    }),
  ],
  [
    'a record has another key than was put',
    'other-content',
    (good) =>
      withRun(good, 0, ({ records }) => ({
        records: records.map((record, at) => (at === 1 ? { ...record, key: 'k0' } : record)),
      })),
  ],
  ['two records of a key change places', 'key-out-of-order', (good) => swapped(good, 0, 2)],
  [
    'a read goes backwards',
    'numbers-fall',
    (good) => withRun(good, 0, ({ records }) => ({ records: records.toReversed() })),
  ],
  [
    'a read gives a record again',
    'numbers-fall',
    (good) => withRun(good, 0, ({ records }) => ({ records: [records[0]!, ...records] })),
  ],
  [
    'a child begins below its parent',
    'lineage-falls',
    (good) => ({ ...good, puts: withPut(good, 3, { number: 150n, key: 'other' }) }),
  ],
  [
    'a grandchild begins below the parent of an empty shard',
    'lineage-falls',
    (good) => ({
      ...good,
      puts: withPut(good, 3, { number: 150n, key: 'other' }),
      shards: [
        { id: 'a', parents: [] },
        { id: 'empty', parents: ['a'] },
        { id: 'b', parents: ['empty'] },
        { id: 'c', parents: [] },
      ],
    }),
  ],
  [
    'a later record of a key has a smaller number',
    'key-out-of-order',
    (good) => ({ ...good, puts: withPut(withPutNumbers(good, 0, 2n), 2, { number: 0n }) }),
  ],
];

function withPutNumbers(good: Good, at: number, number: bigint): Good & History {
  return { ...good, puts: withPut(good, at, { number }) };
}

/** As if the server had taken two records of one shard in the other order, and told so. */
function swapped(good: Good, one: number, other: number): History {
  const [a, b] = [good.puts[one]!, good.puts[other]!];
  const puts = good.puts.with(one, { ...a, number: b.number }).with(other, { ...b, number: a.number });
  const runs = good.runs.map((run) => ({
    ...run,
    records: puts.filter(({ shard }) => shard === run.shard).sort((x, y) => (x.number < y.number ? -1 : 1)),
  }));
  return { ...good, puts, runs };
}

for (const [name, violation, mutate] of MUTATIONS)
  test(`found: ${name}`, () => {
    const found = checkLog(mutate(history())).map((finding) => finding.violation);
    assert.ok(found.includes(violation), `${violation} is not in ${found.join()}`);
  });
