/**
 * Which leases a worker takes and which it asks others for, in one round.
 *
 * A1 A worker takes only leases that are free, and beyond its share only those that nobody took for a long time.
 * A2 All workers that go by these rules come to shares that differ by one at most, and then nothing moves any more.
 * A3 A worker asks for at most `stealsMax` leases at a time, and takes one that isn't handed over in time.
 */
import type { Lease } from './lease.ts';

export interface Round {
  /** That may be read: see `readableLeases`. */
  readonly leases: readonly Lease[];
  readonly me: string;
  /** Shards that this worker works on. */
  readonly running: ReadonlySet<string>;
  /** How long a lease has not moved, in milliseconds. */
  readonly stillMs: (shardId: string) => number;
  /** How long ago this worker asked for a lease that it doesn't have yet, in milliseconds; undefined if it did not. */
  readonly askedMs: (shardId: string) => number | undefined;
  readonly leaseMs: number;
  readonly handoverMs: number;
  readonly leasesMax: number;
  readonly stealsMax: number;
  /** From 0, inclusive, to 1. */
  readonly random: () => number;
}

export interface Plan {
  readonly take: readonly Lease[];
  readonly ask: readonly Lease[];
}

/** A free lease that nobody took for so many lease times is taken by who has its share already. */
const LEFT_OVER_LEASE_TIMES = 3;

export function planRound(round: Round): Plan {
  const { leases, me, leasesMax, stealsMax, leaseMs } = round;
  const free = leases.filter((lease) => isFree(round, lease));
  const held = leases.filter((lease) => !free.includes(lease));
  const loads = loadsOf(held, me);
  const target = Math.ceil(leases.length / loads.size);
  const mine = loads.get(me)!.length;
  const room = Math.max(0, leasesMax - mine);
  const needed = Math.min(Math.max(0, target - mine), room);
  const overdue = held.filter(
    ({ shardId, requestedBy, owner }) =>
      requestedBy === me && owner !== me && (round.askedMs(shardId) ?? 0) >= round.handoverMs,
  );
  const shuffled = shuffle(free, round.random);
  const isLeftOver = ({ shardId }: Lease): boolean =>
    round.stillMs(shardId) >= leaseMs * LEFT_OVER_LEASE_TIMES;
  const share = shuffled.slice(0, needed);
  const leftOver = shuffled
    .slice(needed)
    .filter(isLeftOver)
    .slice(0, Math.min(1, room - share.length));
  const take = [...share, ...leftOver, ...overdue];
  const asked = held.filter(({ requestedBy, owner }) => requestedBy === me && owner !== me).length;
  const missing = needed - share.length;
  if (free.length > 0 || missing <= 0 || asked >= stealsMax) return { take, ask: [] };
  return {
    take,
    ask: stealable(loads, { me, target, missing, most: stealsMax - asked, random: round.random }),
  };
}

function isFree({ running, stillMs, leaseMs }: Round, { shardId, owner }: Lease): boolean {
  if (running.has(shardId)) return false;
  return owner === undefined || stillMs(shardId) >= leaseMs;
}

/** What each worker has or will have once what was asked for is handed over; this one is always among them. */
function loadsOf(held: readonly Lease[], me: string): Map<string, Lease[]> {
  const loads = new Map<string, Lease[]>([[me, []]]);
  for (const lease of held) {
    const worker = lease.requestedBy ?? lease.owner ?? me;
    const load = loads.get(worker);
    if (load === undefined) loads.set(worker, [lease]);
    else load.push(lease);
    // Who is asked for its only lease is still a worker.
    if (lease.owner !== undefined && !loads.has(lease.owner)) loads.set(lease.owner, []);
  }
  return loads;
}

interface Wanted {
  readonly me: string;
  readonly target: number;
  readonly missing: number;
  readonly most: number;
  readonly random: () => number;
}

function stealable(
  loads: ReadonlyMap<string, Lease[]>,
  { me, target, missing, most, random }: Wanted,
): Lease[] {
  let richest: Lease[] = [];
  for (const [worker, load] of loads) if (worker !== me && load.length > richest.length) richest = load;
  const surplus = richest.length - target;
  // With nobody above the share, taking from one who has just it helps only a worker that lacks two.
  const count = surplus > 0 ? Math.min(missing, surplus, most) : missing > 1 && surplus === 0 ? 1 : 0;
  const owned = richest.filter(({ requestedBy }) => requestedBy === undefined);
  return shuffle(owned, random).slice(0, count);
}

function shuffle<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
