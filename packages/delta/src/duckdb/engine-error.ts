import { DeltaError, messageOf } from '../errors.ts';
import { CHECK_MARKER } from './checked-source.ts';
import { NOT_NULL_MARKER } from './source-sql.ts';

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
  const message = `DuckDB can't ${verb}: ${text}`;
  return new DeltaError({ code: isData ? 'invalid-data' : 'engine', message, cause: error });
}

function afterMarker(text: string, marker: string): string | undefined {
  const at = text.indexOf(marker);
  return at < 0 ? undefined : text.slice(at + marker.length).split('\n', 1)[0];
}
