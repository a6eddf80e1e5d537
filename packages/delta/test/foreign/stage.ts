/** The engines, started once for all scenarios, and what must hold of a table that they share. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type ForeignEngine, SPARK_LOG, startDeltaRs, startSpark, type Started } from './foreign-engine.ts';
import { SluiceEngine } from './sluice-engine.ts';
import type { Row, TableEngine } from './table-engine.ts';

/** Holds the tables; removed at the end unless `SLUICE_FOREIGN_KEEP` is set. */
export const directory = mkdtempSync(join(tmpdir(), 'sluice-foreign-'));
process.on('exit', () => {
  if (process.env['SLUICE_FOREIGN_KEEP'] === undefined) rmSync(directory, { recursive: true, force: true });
});

export const sluice = await SluiceEngine.create();
const [sparkStart, deltaRsStart] = await Promise.all([startSpark(directory), startDeltaRs(directory)]);

/** For `describe` and `it`: false, or why an engine is not here. */
export const withoutSpark: string | false = whyNot('Spark', sparkStart);
export const withoutDeltaRs: string | false = whyNot('delta-rs', deltaRsStart);
/** Of scenarios in which all three take turns. */
export const withoutAll: string | false = withoutSpark || withoutDeltaRs;

/** For scenarios in which Spark commits beside other processes. */
export const withoutSharing: string | false =
  withoutAll || ('engine' in sparkStart && sparkStart.missingLogStore) || false;

// For scenarios that are not skipped.
export const spark = engineOf(sparkStart);
export const deltaRs = engineOf(deltaRsStart);
/** All engines, this library first. */
export const engines: readonly TableEngine[] = [sluice, spark, deltaRs];

let tables = 0;

/** The path of a table that is not there yet. */
export function newPath(name: string): string {
  return join(directory, `${name}-${(tables += 1)}`);
}

export interface Agreement {
  /** Those that can read the table; default: all. */
  readonly readers?: readonly TableEngine[];
  /** What the rows must be, in any order; default: what the first reader finds. */
  readonly rows?: readonly Row[];
  /** Whether the versions go back to 0 (default). */
  readonly wholeHistory?: boolean;
}

/**
 * Every reader finds the same rows, the same newest version and contiguous versions, and the library's deep check finds
 * nothing wrong. Returns the newest version.
 */
export async function assertAgreed(path: string, agreement: Agreement = {}): Promise<number> {
  const { readers = engines, wholeHistory = true } = agreement;
  const found = await Promise.all(
    readers.map(async (engine) => {
      const rows = await engine.read(path);
      return { name: engine.name, rows: sorted(rows), facts: await engine.facts(path) };
    }),
  );
  const [first] = found;
  assert.ok(first !== undefined, 'someone reads');
  const expected = agreement.rows === undefined ? first.rows : sorted(agreement.rows);
  for (const { name, rows, facts } of found) {
    assert.deepEqual(rows, expected, `rows of ${name} at version ${facts.version}`);
    assert.equal(facts.version, first.facts.version, `version of ${name}`);
    assert.equal(facts.files, first.facts.files, `files of ${name}`);
  }
  const history = await sluice.versions(path);
  const newest = first.facts.version;
  const oldest = wholeHistory ? 0 : (history.at(-1) ?? 0);
  const contiguous = Array.from({ length: newest - oldest + 1 }, (_, at) => newest - at);
  assert.deepEqual(history, contiguous, 'versions');
  const checked = await (await sluice.open(path)).fsck({ deep: true, dryRun: true });
  assert.deepEqual(checked.findings, [], 'findings of the check');
  return newest;
}

/** Every reader finds these rows at an older version. */
export async function assertAgreedAt(
  path: string,
  at: { readonly version: number; readonly rows: readonly Row[]; readonly readers?: readonly TableEngine[] },
): Promise<void> {
  for (const engine of at.readers ?? engines) {
    const rows = sorted(await engine.read(path, at.version));
    assert.deepEqual(rows, sorted(at.rows), `rows of ${engine.name} at version ${at.version}`);
  }
}

export function sorted(rows: readonly Row[]): Row[] {
  const keyed = rows.map((row) => ({ row, key: JSON.stringify(ordered(row)) }));
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ row }) => row);
}

function ordered(row: Row): [string, unknown][] {
  return Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** What Spark said on the side about damage to a table. */
export function sparkComplaints(path: string): string[] {
  const lines = readFileSync(join(directory, SPARK_LOG), 'utf8').split('\n');
  return lines.filter((line) => line.includes(path) && /checksum|mismatch|corrupt/i.test(line));
}

function whyNot(name: string, started: Started): string | false {
  return 'missing' in started ? `${name} can't be had here: ${started.missing}` : false;
}

/** An engine that is missing throws when it is used. */
function engineOf(started: Started): ForeignEngine {
  if ('engine' in started) return started.engine;
  return new Proxy({} as ForeignEngine, {
    get: (): never => assert.fail(started.missing),
  });
}
