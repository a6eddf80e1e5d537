/** Row positions out of DuckDB, a block of a deletion vector at once. */
import { type DuckDBConnection, type DuckDBDataChunk, DuckDBListVector } from '@duckdb/node-api';
import { BLOCK_ROWS } from '../deletion-vectors/row-set.ts';
import type { PositionBlock } from '../engine.ts';
import { assert } from '../errors.ts';

/** As `SqlSession.positions`. DuckDB gathers the positions of a block: one value a row takes twenty times as long. */
export async function readPositionBlocks(
  connection: DuckDBConnection,
  sql: string,
): Promise<ReadonlyMap<number, readonly PositionBlock[]>> {
  const result = await connection.stream(
    `SELECT CAST("file" AS DOUBLE) AS "f", CAST("position" // ${BLOCK_ROWS} AS DOUBLE) AS "b", ` +
      `list(CAST("position" % ${BLOCK_ROWS} AS USMALLINT)) FROM (${sql}) AS "pairs"("file", "position") GROUP BY "f", "b"`,
  );
  const files = new Map<number, PositionBlock[]>();
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return files;
    addBlocks(chunk, files);
  }
}

function addBlocks(chunk: DuckDBDataChunk, files: Map<number, PositionBlock[]>): void {
  const [fileVector, blockVector, lists] = [0, 1, 2].map((at) => chunk.getColumnVector(at));
  assert(lists instanceof DuckDBListVector, 'the third column is a list');
  for (let row = 0; row < chunk.rowCount; row += 1) {
    const file = fileVector?.getItem(row) as number;
    let blocks = files.get(file);
    if (blocks === undefined) files.set(file, (blocks = []));
    const list = lists.getItemVector(row);
    assert(list !== null, 'a block holds some position');
    const rests = new Uint16Array(list.itemCount);
    for (let at = 0; at < rests.length; at += 1) rests[at] = list.getItem(at) as number;
    blocks.push({ block: blockVector?.getItem(row) as number, rests });
  }
}
