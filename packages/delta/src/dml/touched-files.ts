/** The files that hold affected rows, and what becomes of each. */
import type { SqlSession } from '../engine.ts';
import type { AddFile } from '../log/actions.ts';
import { enableDeletionVectors } from '../properties/table-properties.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { recordCount } from '../stats/record-count.ts';
import type { Attempt } from './row-operation.ts';

/** Share of a file's rows up to which they are marked as deleted; beyond it, reading around them costs more than a new file. */
export const VECTOR_SHARE_MAX = 0.3;

export interface TouchedFile {
  readonly file: AddFile;
  /** Index into the operation's files. */
  readonly at: number;
  /** Rows that are updated or deleted, and those of them that are updated. */
  readonly affected: number;
  readonly updated: number;
  /** The affected rows by the number of the clause that applies to them. */
  readonly byClause: ReadonlyMap<number, number>;
  /** Rows that the table had of the file. */
  readonly live: number;
  /** Rows that the file holds, deleted ones counted. */
  readonly physical: number;
  /**
   * `remove`: no row of it stays as it is. `vector`: the affected rows are marked as deleted. `rewrite`: the others are
   * copied to a new file.
   */
  readonly fate: 'remove' | 'vector' | 'rewrite';
}

/** Whether a state's files may be given deletion vectors. */
export function writesVectors({ protocol, metadata }: TableState): boolean {
  return (
    enableDeletionVectors(metadata.configuration) &&
    protocol.readerFeatures?.includes('deletionVectors') === true &&
    protocol.writerFeatures?.includes('deletionVectors') === true
  );
}

/** The files of a table of hits (see row-changes.ts). */
export async function touchedFiles(
  attempt: Attempt,
  { hits, files }: { hits: string; files: readonly AddFile[] },
): Promise<TouchedFile[]> {
  const counted = await attempt.session.rows(
    `SELECT "_sluice_f", "_sluice_clause", "_sluice_updates", count(*) FROM ${hits} GROUP BY ALL ORDER BY 1`,
  );
  const found: {
    at: number;
    file: AddFile;
    affected: number;
    updated: number;
    byClause: Map<number, number>;
  }[] = [];
  for (const [at, clause, updates, rows] of counted) {
    if (found.at(-1)?.at !== Number(at)) {
      const file = files[Number(at)] as AddFile;
      found.push({ at: Number(at), file, affected: 0, updated: 0, byClause: new Map() });
    }
    const last = found.at(-1)!;
    last.affected += Number(rows);
    if (updates === true) last.updated += Number(rows);
    last.byClause.set(Number(clause), (last.byClause.get(Number(clause)) ?? 0) + Number(rows));
  }
  const live = await liveRows(
    attempt,
    found.map(({ file }) => file),
  );
  const mayMark = writesVectors(attempt.state);
  return found.map((each, index) => {
    const deleted = each.file.deletionVector?.cardinality ?? 0;
    const liveCount = live[index] as number;
    const physical = liveCount + deleted;
    const isSmallShare = (each.affected + deleted) / physical <= VECTOR_SHARE_MAX;
    const fate = each.affected >= liveCount ? 'remove' : mayMark && isSmallShare ? 'vector' : 'rewrite';
    return { ...each, live: liveCount, physical, fate };
  });
}

/** Rows of each file that are not deleted: from the statistics, or by counting where they don't say. */
export async function liveRows(attempt: Attempt, files: readonly AddFile[]): Promise<number[]> {
  const counts = files.map((file) => {
    const rows = recordCount(file.stats);
    return rows === undefined ? undefined : rows - (file.deletionVector?.cardinality ?? 0);
  });
  const unknown = files.filter((_, at) => counts[at] === undefined);
  if (unknown.length === 0) return counts as number[];
  const counted = await countRows(attempt.session, await attempt.scan(unknown));
  let next = 0;
  return counts.map((count) => count ?? counted.get(next++) ?? 0);
}

async function countRows(session: SqlSession, scan: string): Promise<Map<number, number>> {
  const rows = await session.rows(`SELECT "_sluice_file", count(*) FROM (${scan}) GROUP BY 1`);
  return new Map(rows.map(([at, count]) => [Number(at), Number(count)]));
}
