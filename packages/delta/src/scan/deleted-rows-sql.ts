/**
 * Keeps deleted rows out of a scan with SQL that any connection runs. The rows are part of the text: as lists of
 * positions against which an anti-join probes, or, where that is shorter, as bits. Both take tables of constants, since
 * DuckDB plans those without looking at what they hold.
 *
 * Bound: each file takes at most {@link BITS_PER_CHARACTER} of its rows a character, and less where few are deleted.
 */
import type { RowSet } from '../deletion-vectors/index.ts';
import { quoteText } from './quote.ts';

/** Of base64. */
const BITS_PER_CHARACTER = 6;
/** Positions that DuckDB's `get_bit` takes. */
const BITS_MAX = 2 ** 31 - 8;

/** How the text of a file's deleted rows is written. */
export type DeletionForm = 'positions' | 'bits';

/** The shorter form for a file's deleted rows. */
export function deletionForm(rows: RowSet): DeletionForm {
  const { last } = rows;
  if (last >= BITS_MAX) return 'positions';
  return rows.size * (String(last).length + 1) <= last / BITS_PER_CHARACTER ? 'positions' : 'bits';
}

/**
 * A FROM clause over `read` (a table function over Parquet files, which it names `f`) without the deleted rows, which
 * are in the order of the files and all of one form.
 */
export function fromWithoutRows(read: string, deleted: readonly RowSet[], form: DeletionForm): string {
  return form === 'positions' ? withoutPositions(read, deleted) : withoutBits(read, deleted);
}

function withoutPositions(read: string, deleted: readonly RowSet[]): string {
  const lists = deleted.map((rows, at) => `(${at}, '${textOf(rows, 'positions')}')`);
  // Split and then cast, which DuckDB does in half the time of a cast to a list.
  const rows =
    `SELECT CAST(i AS UBIGINT) AS i, CAST(unnest(string_split(t, ',')) AS BIGINT) AS r ` +
    `FROM (VALUES ${lists.join(', ')}) AS v(i, t)`;
  return `${read} AS f ANTI JOIN (${rows}) AS d ON f.file_row_number = d.r AND f.file_index = d.i`;
}

function withoutBits(read: string, deleted: readonly RowSet[]): string {
  const bits = deleted.map((rows, at) => `(${at}, ${rows.last + 1}, ${quoteText(textOf(rows, 'bits'))})`);
  const rows =
    'SELECT CAST(i AS UBIGINT) AS i, CAST(n AS BIGINT) AS n, CAST(from_base64(t) AS BIT) AS b ' +
    `FROM (VALUES ${bits.join(', ')}) AS v(i, n, t)`;
  // The bit after the last deleted row is clear, and stands for all that follow.
  return (
    `${read} AS f JOIN (${rows}) AS d ON f.file_index = d.i ` +
    'WHERE get_bit(d.b, CAST(least(f.file_row_number, d.n) AS INTEGER)) = 0'
  );
}

/** Texts of sets that were scanned before, since one vector meets many scans; they live as long as the sets. */
const texts = new WeakMap<RowSet, string>();

/** By one form, as {@link deletionForm} gives the same one for a set each time. */
function textOf(rows: RowSet, form: DeletionForm): string {
  const known = texts.get(rows);
  if (known !== undefined) return known;
  const text = form === 'positions' ? [...rows.positions()].join(',') : base64Bits(rows);
  texts.set(rows, text);
  return text;
}

/** Bits for the positions up to the one after the last, most significant first, as DuckDB numbers them. */
function base64Bits(rows: RowSet): string {
  const bytes = Buffer.alloc(Math.floor((rows.last + 1) / 8) + 1);
  for (const position of rows.positions()) {
    const at = Math.floor(position / 8);
    bytes[at] = (bytes[at] as number) | (0x80 >> (position % 8));
  }
  return bytes.toString('base64');
}
