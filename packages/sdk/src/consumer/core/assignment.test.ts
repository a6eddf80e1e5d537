import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planRound, type Round } from './assignment.ts';
import { givenUp, type Lease, newLease, requested, taken } from './lease.ts';

const LEASE_MS = 1_000;
const HANDOVER_MS = 5_000;

function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const leasesOf = (owners: readonly (string | undefined)[]): Lease[] =>
  owners.map((owner, index) => ({ ...newLease(`s${index}`, [], { kind: 'trim-horizon' }), owner }));

const plan = (leases: readonly Lease[], round: Partial<Round> = {}) =>
  planRound({
    leases,
    me: 'me',
    running: new Set(leases.filter(({ owner }) => owner === 'me').map(({ shardId }) => shardId)),
    stillMs: () => 0,
    askedMs: () => undefined,
    leaseMs: LEASE_MS,
    handoverMs: HANDOVER_MS,
    leasesMax: 100,
    stealsMax: 1,
    random: seeded(1),
    ...round,
  });
const ids = (leases: readonly Lease[]) => leases.map(({ shardId }) => shardId).sort();

test('a worker alone takes all that is free, up to its bound', () => {
  assert.equal(plan(leasesOf([undefined, undefined, undefined])).take.length, 3);
  assert.equal(plan(leasesOf([undefined, undefined, undefined]), { leasesMax: 2 }).take.length, 2);
});

test('a worker takes its share of what is free and leaves the rest', () => {
  const { take, ask } = plan(leasesOf(['a', 'a', undefined, undefined, undefined]));
  assert.equal(take.length, 3);
  assert.deepEqual(ask, []);
  assert.equal(plan(leasesOf(['a', undefined, undefined, undefined])).take.length, 2);
});

test('a lease that did not move for as long as it lasts is free, and a moment earlier is not', () => {
  const leases = leasesOf(['a']);
  assert.deepEqual(ids(plan(leases, { stillMs: () => LEASE_MS }).take), ['s0']);
  assert.deepEqual(plan(leases, { stillMs: () => LEASE_MS - 1 }), { take: [], ask: [] });
});

test('its own leases are never free to it, however long it saw them still', () => {
  assert.deepEqual(plan(leasesOf(['me', 'me']), { stillMs: () => 10 * LEASE_MS }).take, []);
});

test('what nobody took for long is taken beyond the share, one a round', () => {
  const leases = leasesOf(['me', 'a', undefined, undefined]);
  assert.equal(plan(leases).take.length, 1);
  const full = leasesOf(['me', 'me', 'a', undefined]);
  assert.deepEqual(plan(full, { stillMs: () => LEASE_MS - 1 }).take, []);
  const stillMs = (shardId: string): number => (shardId === 's3' ? 3 * LEASE_MS : 0);
  assert.deepEqual(ids(plan(full, { stillMs }).take), ['s3']);
  assert.deepEqual(plan(full, { stillMs, leasesMax: 2 }).take, []);
});

test('it asks the one that has most, for one lease', () => {
  const { take, ask } = plan(leasesOf(['a', 'a', 'a', 'b']));
  assert.deepEqual(take, []);
  assert.equal(ask.length, 1);
  assert.equal(ask[0]!.owner, 'a');
});

test('it asks for nothing more while what it asked for is under way, and takes it when it takes too long', () => {
  const leases = leasesOf(['a', 'a', 'a', 'a']);
  const asked = [{ ...leases[0]!, requestedBy: 'me' }, ...leases.slice(1)];
  assert.deepEqual(plan(asked, { askedMs: () => HANDOVER_MS - 1 }), { take: [], ask: [] });
  assert.deepEqual(ids(plan(asked, { askedMs: () => HANDOVER_MS }).take), ['s0']);
});

test('nobody asks for anything when shares differ by one at most', () => {
  assert.deepEqual(plan(leasesOf(['a', 'a', 'me'])).ask, []);
  assert.deepEqual(plan(leasesOf(['a'])).ask, []);
});

test('any workers come to shares that differ by one at most, and then nothing moves', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed);
    const workers = Array.from({ length: 1 + Math.floor(random() * 6) }, (_, index) => `w${index}`);
    let leases = leasesOf(
      Array.from({ length: 1 + Math.floor(random() * 20) }, () =>
        random() < 0.5 ? undefined : workers[Math.floor(random() * workers.length)],
      ),
    );
    const write = (lease: Lease): void => {
      leases = leases.map((old) => (old.shardId === lease.shardId ? lease : old));
    };
    const round = (me: string): number => {
      for (const lease of leases)
        if (lease.owner === me && lease.requestedBy !== undefined) write(givenUp(lease));
      const running = new Set(leases.filter(({ owner }) => owner === me).map(({ shardId }) => shardId));
      const { take, ask } = plan(leases, { me, running, random });
      for (const lease of take) write(taken(lease, me));
      for (const lease of ask) write(requested(lease, me));
      return take.length + ask.length;
    };
    for (let rounds = 0; rounds < 40; rounds++) for (const me of workers) round(me);
    const counts = workers.map((me) => leases.filter(({ owner }) => owner === me).length);
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `seed ${seed}: ${counts.join(' ')}`);
    assert.ok(
      leases.every(({ owner }) => owner !== undefined),
      `seed ${seed}: a lease is left over`,
    );
    assert.equal(
      workers.reduce((moves, me) => moves + round(me), 0),
      0,
      `seed ${seed}: it goes on`,
    );
  }
});
