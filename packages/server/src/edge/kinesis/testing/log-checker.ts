/**
 * Says what is wrong with a history of a stream: what was put and acknowledged, and all that readers saw. It knows
 * nothing of the server but the promises of Kinesis, and finds loss, duplicates, broken order of keys, numbers that
 * don't rise and reads that differ from other reads.
 */
export interface SeenRecord {
  readonly number: bigint;
  readonly key: string;
  /** Unique among all that is put. */
  readonly value: string;
}

export interface AcknowledgedPut extends SeenRecord {
  readonly shard: string;
  /** Puts of one key are ordered where one was answered before the other was sent. */
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly arrivalMs: number;
}

/** Records that one reader got from one shard one after another, without leaving any out. */
export interface SeenRun {
  readonly shard: string;
  readonly records: readonly SeenRecord[];
  /** From the oldest record that is kept to the newest of those that were answered before the moment `at`. */
  readonly complete?: { readonly keptFromMs: number; readonly at: number };
}

export interface SeenShard {
  readonly id: string;
  readonly parents: readonly string[];
}

export interface History {
  readonly puts: readonly AcknowledgedPut[];
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

export function checkLog({ puts, runs, shards }: History): Finding[] {
  const findings: Finding[] = [];
  const say = (violation: Violation, about: string): void => void findings.push({ violation, about });
  const putByValue = new Map(puts.map((put) => [put.value, put]));
  const seen = collect(runs, say);
  for (const [shard, records] of seen) {
    for (const { number, value } of records.values()) {
      const put = putByValue.get(value);
      if (put === undefined) say('never-put', `${value} in ${shard}`);
      else if (put.shard !== shard || put.number !== number)
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
  const numbers = new Map(
    [...seen].map(([shard, records]) => [shard, [...records.keys()].sort((a, b) => (a < b ? -1 : 1))]),
  );
  for (const { shard, records, complete } of runs) {
    for (const [at, { number, value }] of records.entries())
      if (at > 0 && number <= records[at - 1]!.number) say('numbers-fall', `${value} in ${shard}`);
    const had = new Set(records.map(({ number }) => number));
    const [first, last] = [records[0]?.number, records.at(-1)?.number];
    if (first !== undefined && last !== undefined)
      for (const number of numbers.get(shard)!)
        if (number > first && number < last && !had.has(number)) say('left-out', `${shard}/${number}`);
    if (complete === undefined) continue;
    for (const put of puts)
      if (
        put.shard === shard &&
        put.answeredAt < complete.at &&
        put.arrivalMs >= complete.keptFromMs &&
        !had.has(put.number)
      )
        say('lost', `${put.value} of ${shard}`);
  }
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
