import { DeltaError, messageOf } from '../errors.ts';
import { CHECK_MARKER } from './checked-source.ts';
import { NOT_NULL_MARKER } from './source-sql.ts';

/** Of a column that a source of SQL lacks; the alias is that of `castSource`. */
const ABSENT_COLUMN = /^Binder Error: .*"_sluice_source" does not have a column named "(.*)"/;

/** Of a file that is gone. */
const ABSENT_FILE =
  /^IO Error: (?:No files found that match the pattern "(.*?)"|Cannot open file "(.*?)": No such file)/;

/** What DuckDB threw as the error that the engine's seam promises; `verb` says what it was asked to do. */
export function engineError(error: unknown, verb: string): unknown {
  if (error instanceof DeltaError) return error;
  const text = messageOf(error);
  const broken = afterMarker(text, NOT_NULL_MARKER);
  if (broken !== undefined) {
    const message = `a row has NULL in the column "${broken}", or within it, where the schema forbids it`;
    return new DeltaError({ code: 'not-null', message, cause: error });
  }
  const check = afterMarker(text, CHECK_MARKER);
  if (check !== undefined) return new DeltaError({ code: 'constraint', message: check, cause: error });
  const absent = ABSENT_COLUMN.exec(text)?.[1];
  if (absent !== undefined) {
    const message = `the SELECT of the source has no column "${absent}"`;
    const hint = 'Name the columns that it has with `columns`: the others get their defaults, or NULL.';
    return new DeltaError({ code: 'invalid-data', message, hint, cause: error });
  }
  const gone = ABSENT_FILE.exec(text)?.slice(1).find(Boolean);
  if (gone !== undefined) {
    const hint = 'If a vacuum took it, read a newer version; if not, let fsck look at the table.';
    return new DeltaError({ code: 'not-found', message: `the file "${gone}" is gone`, hint, cause: error });
  }
  if (/No space left|ENOSPC|Disk quota/i.test(text)) {
    const hint = 'Free space, then try again.';
    return new DeltaError({
      code: 'no-space',
      message: `can't ${verb}: no space is left`,
      hint,
      cause: error,
    });
  }
  const isData = verb === 'write' && /^(Invalid Input|Conversion|Out of Range) Error/.test(text);
  // DuckDB's advice is about options of its own.
  const message = `DuckDB can't ${verb}: ${text.replace(/\nTry setting [^]*$/, '')}`;
  return new DeltaError({ code: isData ? 'invalid-data' : 'engine', message, cause: error });
}

function afterMarker(text: string, marker: string): string | undefined {
  const at = text.indexOf(marker);
  return at < 0 ? undefined : text.slice(at + marker.length).split('\n', 1)[0];
}
