/** A merge is ambiguous where a row of the table would be changed by more than one row of the source. */
import type { RowSet } from '../deletion-vectors/index.ts';
import { DeltaError } from '../errors.ts';
import type { Attempt } from './row-operation.ts';
import type { TouchedFile } from './touched-files.ts';

interface Hits {
  /** As in row-changes.ts, a row for each match. */
  readonly hits: string;
  readonly touched: readonly TouchedFile[];
  /** Of the hits in files that get a vector. */
  readonly positions: ReadonlyMap<number, RowSet>;
}

/** Throws `duplicate-match` for a row that is a hit more than once. */
export async function assertNoDuplicates(
  { session }: Attempt,
  { hits, touched, positions }: Hits,
): Promise<void> {
  // Sets of positions show at once whether there were as many hits.
  const doubtful = touched.filter(({ at, affected }) => positions.get(at)?.size !== affected);
  if (doubtful.length === 0) return;
  const places = doubtful.map(({ at }) => at).join(', ');
  const [row] = await session.rows(
    `SELECT count(*) FROM (SELECT 1 FROM ${hits} WHERE "_sluice_f" IN (${places}) ` +
      `GROUP BY "_sluice_f", "_sluice_r" HAVING count(*) > 1)`,
  );
  const duplicates = Number(row?.[0] ?? 0);
  if (duplicates === 0) return;
  throw new DeltaError({
    code: 'duplicate-match',
    message: `${duplicates} row(s) of the table match more than one row of the source that would update or delete them`,
    hint: 'Make the source have one row for each key, or narrow the conditions.',
  });
}
