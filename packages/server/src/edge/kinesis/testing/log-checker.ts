/**
 * Says what is wrong with a history of a stream: what was put, what of it was acknowledged, and all that readers and
 * subscriptions saw. It knows nothing of the server but the promises of Kinesis, and finds loss, duplicates, broken order
 * of keys, numbers that don't rise, reads that leave something out and reads that differ from other reads.
 */
export interface SeenRecord {
  readonly number: bigint;
  readonly key: string;
  /** Unique among all that is put. */
  readonly value: string;
  readonly arrivalMs?: number;
}

export interface AcknowledgedPut extends SeenRecord {
  readonly shard: string;
  /** Puts of one key are ordered where one was answered before the other was sent. */
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly arrivalMs: number;
}

/**
 * Records that one reader got from one shard one after another: through iterators, or through subscriptions of which
 * each went on where the one before was.
 */
export interface SeenRun {
  readonly shard: string;
  readonly records: readonly SeenRecord[];
  /** Where it began, whether there was a record or not; without it, at its first record. */
  readonly from?: bigint;
  /** It was told that the closed shard has nothing more. */
  readonly ended?: boolean;
  /** Records that arrived earlier may have expired before it came to them. */
  readonly mayMissBeforeMs?: number;
  /** From the oldest record that is kept to the newest of those that were answered before the moment `at`. */
  readonly complete?: { readonly keptFromMs: number; readonly at: number };
}

export interface SeenShard {
  readonly id: string;
  readonly parents: readonly string[];
}

export interface History {
  readonly puts: readonly AcknowledgedPut[];
  /** Puts without an answer, or with a refusal: each is there once or not at all. */
  readonly attempts?: readonly { readonly key: string; readonly value: string }[];
  readonly runs: readonly SeenRun[];
  /** Every shard that ever was. */
  readonly shards: readonly SeenShard[];
}

export type Violation =
  | 'lost'
  | 'duplicated'
  | 'never-put'
  | 'other-number'
  | 'other-content'
  | 'left-out'
  | 'numbers-fall'
  | 'lineage-falls'
  | 'key-out-of-order';

export interface Finding {
  readonly violation: Violation;
  readonly about: string;
}

export function checkLog({ puts, runs, shards, attempts = [] }: History): Finding[] {
  const findings: Finding[] = [];
  const say = (violation: Violation, about: string): void => void findings.push({ violation, about });
  const putByValue = new Map(puts.map((put) => [put.value, put]));
  const attempted = new Map(attempts.map(({ key, value }) => [value, key]));
  const seen = collect(runs, say);
  for (const [shard, records] of seen) {
    for (const { number, key, value } of records.values()) {
      const put = putByValue.get(value);
      const putKey = put?.key ?? attempted.get(value);
      if (putKey === undefined) say('never-put', `${value} in ${shard}`);
      else if (putKey !== key) say('other-content', `${value} was put with ${putKey} and has ${key}`);
      if (put === undefined) continue;
      if (put.shard !== shard || put.number !== number)
        say(
          'other-number',
          `${value} was acknowledged as ${put.shard}/${put.number}, and read as ${shard}/${number}`,
        );
    }
  }
  checkRuns(runs, { seen, puts }, say);
  checkOnce(seen, say);
  checkLineage(shards, puts, say);
  checkKeys(puts, say);
  return findings;
}

type Say = (violation: Violation, about: string) => void;
type Seen = Map<string, Map<bigint, SeenRecord>>;

/** All that was seen of each shard; two readers of one number must have seen one record. */
function collect(runs: readonly SeenRun[], say: Say): Seen {
  const seen: Seen = new Map();
  for (const { shard, records } of runs) {
    let known = seen.get(shard);
    if (known === undefined) seen.set(shard, (known = new Map()));
    for (const record of records) {
      const before = known.get(record.number);
      if (before !== undefined && (before.value !== record.value || before.key !== record.key))
        say('other-content', `${shard}/${record.number} was ${before.value} and is ${record.value}`);
      known.set(record.number, record);
    }
  }
  return seen;
}

function checkRuns(
  runs: readonly SeenRun[],
  { seen, puts }: { seen: Seen; puts: readonly AcknowledgedPut[] },
  say: Say,
): void {
  const putsOf = Map.groupBy(puts, (put) => put.shard);
  const known = knownRecords(seen, puts);
  for (const run of runs) {
    const { shard, records, complete } = run;
    for (const [at, { number, value }] of records.entries())
      if (at > 0 && number <= records[at - 1]!.number) say('numbers-fall', `${value} in ${shard}`);
    const had = new Set(records.map(({ number }) => number));
    checkNoGap(run, { had, known: known.get(shard) ?? [] }, say);
    if (complete === undefined) continue;
    for (const put of putsOf.get(shard) ?? [])
      if (put.answeredAt < complete.at && put.arrivalMs >= complete.keptFromMs && !had.has(put.number))
        say('lost', `${put.value} of ${shard}`);
  }
}

/** A record that a run came past, since it had a later one or the end, must be in it. */
function checkNoGap(
  { shard, records, from, ended = false, mayMissBeforeMs = -Infinity }: SeenRun,
  { had, known }: { had: ReadonlySet<bigint>; known: readonly SeenRecord[] },
  say: Say,
): void {
  const first = from ?? records[0]?.number;
  const last = records.at(-1)?.number;
  if (first === undefined) return;
  for (const { number, arrivalMs = -Infinity } of known)
    if (
      number >= first &&
      (ended || (last !== undefined && number < last)) &&
      !had.has(number) &&
      arrivalMs >= mayMissBeforeMs
    )
      say('left-out', `${shard}/${number}`);
}

/** By shard: all that was acknowledged or seen. */
function knownRecords(seen: Seen, puts: readonly AcknowledgedPut[]): Map<string, SeenRecord[]> {
  const known = new Map([...seen].map(([shard, records]) => [shard, [...records.values()]]));
  for (const put of puts) {
    if (seen.get(put.shard)?.has(put.number)) continue;
    const ofShard = known.get(put.shard) ?? [];
    ofShard.push(put);
    known.set(put.shard, ofShard);
  }
  return known;
}

function checkOnce(seen: Seen, say: Say): void {
  const places = new Map<string, string>();
  for (const [shard, records] of seen)
    for (const { number, value } of records.values()) {
      const before = places.get(value);
      if (before !== undefined) say('duplicated', `${value} is at ${before} and ${shard}/${number}`);
      places.set(value, `${shard}/${number}`);
    }
}

function checkLineage(shards: readonly SeenShard[], puts: readonly AcknowledgedPut[], say: Say): void {
  const range = new Map<string, { least: bigint; most: bigint }>();
  for (const { shard, number } of puts) {
    const { least = number, most = number } = range.get(shard) ?? {};
    range.set(shard, { least: number < least ? number : least, most: number > most ? number : most });
  }
  const parentsOf = new Map(shards.map(({ id, parents }) => [id, parents]));
  const most = new Map<string, bigint>();
  /** The greatest number of a shard and all before it. */
  const greatest = (id: string): bigint => {
    const known = most.get(id);
    if (known !== undefined) return known;
    const all = [range.get(id)?.most ?? -1n, ...(parentsOf.get(id) ?? []).map(greatest)];
    const result = all.reduce((a, b) => (a > b ? a : b));
    most.set(id, result);
    return result;
  };
  for (const { id, parents } of shards)
    for (const parent of parents) {
      const least = range.get(id)?.least;
      if (least !== undefined && least <= greatest(parent)) say('lineage-falls', `${id} after ${parent}`);
    }
}

function checkKeys(puts: readonly AcknowledgedPut[], say: Say): void {
  for (const [key, ofKey] of Map.groupBy(puts, (put) => put.key)) {
    const byAnswer = [...ofKey].sort((a, b) => a.answeredAt - b.answeredAt);
    const bySending = [...ofKey].sort((a, b) => a.sentAt - b.sentAt);
    let answered = 0;
    let greatest = -1n;
    for (const put of bySending) {
      for (; byAnswer[answered]!.answeredAt < put.sentAt; answered++)
        if (byAnswer[answered]!.number > greatest) greatest = byAnswer[answered]!.number;
      if (put.number <= greatest) say('key-out-of-order', `${put.value} of ${key}`);
    }
  }
}
