import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openFlights, type Event, type Flights } from './flights.ts';
import { joinHours } from './questions.ts';
import { noProgress, putAll, quantile, type PutBatch } from './load.ts';

describe('the flights', () => {
  let flights: Flights;
  before(async () => {
    flights = await openFlights();
  });
  after(() => flights.close());

  test('are three million', () => assert.equal(flights.total, 3_000_000));

  test('come in the order of the file, in batches', async () => {
    const batches: (readonly Event[])[] = [];
    for await (const batch of flights.events({ run: "r'1", rows: 5001, batchRows: 500 })) batches.push(batch);
    assert.deepEqual(
      batches.map((batch) => batch.length),
      [...Array.from({ length: 10 }, () => 500), 1],
    );
    const events = batches.flat().map(({ json }) => JSON.parse(json) as { flight_id: number });
    assert.deepEqual(
      events.map((event) => event.flight_id),
      Array.from({ length: 5001 }, (_, index) => index + 1),
    );
    assert.deepEqual(events[0], {
      run: "r'1",
      flight_id: 1,
      departed_at: '2001-01-01 00:01:00',
      origin: 'LAS',
      destination: 'PHL',
      arrival_delay_minutes: 33,
      distance_miles: 2176,
    });
    assert.equal(batches[0]?.[0]?.key, 'LAS');
  });

  test('have airports with places', async () => {
    const airports = await flights.airports();
    assert.equal(airports.length, 3376);
    const sfo = airports.find(({ key }) => key === 'SFO');
    assert.equal((JSON.parse(sfo?.json ?? '{}') as { city?: string }).city, 'San Francisco');
  });
});

describe('putting records', () => {
  async function* batchesOf(count: number): AsyncGenerator<readonly Event[]> {
    for (let index = 0; index < count; index++)
      yield [0, 1, 2].map((n) => ({ key: 'k', json: `${index}-${n}` }));
  }
  const signal = new AbortController().signal;

  test('puts again only what was not taken', async () => {
    const taken: string[] = [];
    const put: PutBatch = async (batch) => {
      const failed = batch.length === 3 ? [1] : [];
      taken.push(...batch.filter((_, index) => !failed.includes(index)).map(({ json }) => json));
      return { failed, reason: 'slow down' };
    };
    const progress = noProgress();
    await putAll(batchesOf(20), put, { progress, signal });
    assert.equal(taken.length, 60);
    assert.equal(new Set(taken).size, 60);
    assert.deepEqual([progress.records, progress.requests, progress.retriedRecords], [60, 40, 20]);
  });

  test('stops at the first error, all of its requests ended', async () => {
    let open = 0;
    const put: PutBatch = async (_, abort) => {
      open++;
      await new Promise((resolve) => setImmediate(resolve));
      open--;
      if (abort.aborted) throw abort.reason;
      throw new Error('gone');
    };
    await assert.rejects(putAll(batchesOf(100), put, { progress: noProgress(), signal }), /gone/);
    assert.equal(open, 0);
  });

  test('ends when it is interrupted', async () => {
    const interrupted = new AbortController();
    const put: PutBatch = async () => {
      interrupted.abort(new Error('stop'));
      return { failed: [], reason: '' };
    };
    await assert.rejects(
      putAll(batchesOf(1000), put, { progress: noProgress(), signal: interrupted.signal }),
      /stop/,
    );
  });
});

test('quantiles are of the sorted values', () => {
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile([3, 1, 2], 0.99), 3);
  assert.equal(quantile([], 0.5), 0);
});

test('hours are put together by their flights', () => {
  const hours = [
    { hour: 0, flights: 10, late: 0.5 },
    { hour: 2, flights: 30, late: 0.1 },
    { hour: 23, flights: 1, late: 1 },
  ];
  assert.deepEqual(joinHours(hours, 3), [
    { hour: 0, flights: 40, late: 0.2 },
    { hour: 21, flights: 1, late: 1 },
  ]);
  assert.deepEqual(joinHours(hours, 1), hours);
});
