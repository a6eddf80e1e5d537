import { SqlError, type SqlErrorCode } from '../../ports/sql-engine.ts';

/** Names of the databases that hold one statement's views; nobody else can guess them. */
export const STATEMENT_DATABASE = /"?\bstatement_[0-9a-f]{32}\b"?\./g;

/** What the user may know of an engine's error: its message and the place in the text, nothing of where it runs. */
export function toSqlError(error: unknown, hidden: readonly string[]): SqlError {
  if (error instanceof SqlError) return error;
  if (isFull(error)) return full(error);
  const raw = error instanceof Error ? error.message : String(error);
  if (DAMAGED_FILE.test(raw)) return damaged(raw, error, hidden);
  const code = codeOf(raw);
  const message = MESSAGES[code] ?? clean(raw, hidden);
  const hint = HINTS[code];
  return new SqlError({ code, message, ...(hint !== undefined && { hint }), cause: error });
}

const MESSAGES: Partial<Record<SqlErrorCode, string>> = {
  cancelled: 'the query was cancelled',
  'out-of-memory': 'EXCEEDED_MEMORY_LIMIT: the query needs more memory than it may use',
  'temporary-space': 'EXCEEDED_TEMPORARY_SPACE: the query needs more temporary disk space than it may use',
};

const HINTS: Partial<Record<SqlErrorCode, string>> = {
  'out-of-memory': 'Read fewer rows or columns, group by fewer values, or raise the memory limit.',
  'temporary-space': 'Sort or join fewer rows, or raise the limit of temporary space.',
};

/** Parquet files are read by Sluice's own views alone, so whatever doesn't decode is no fault of the statement. */
const DAMAGED_FILE =
  /^Invalid Input Error: Failed to read file "|No magic bytes found at end of file|too small to be a Parquet file|^Invalid Error: (?:TProtocolException|Variable-length int|don't know what type|No more data)/;

function damaged(raw: string, cause: unknown, hidden: readonly string[]): SqlError {
  const file = /[^"'\s]+\.parquet/.exec(clean(raw, hidden))?.[0];
  return new SqlError({
    code: 'failed',
    message: `DATA_FILE_DAMAGED: a file of a table can't be read${file === undefined ? '' : `: ${file}`}`,
    hint: 'Restore the file from a copy, or the table to a version without it ("sluice table history" and "sluice table restore").',
    cause,
  });
}

function codeOf(message: string): SqlErrorCode {
  if (/^INTERRUPT Error|\bInterrupted!/.test(message)) return 'cancelled';
  if (/max_temp_directory_size|failed to offload data block/.test(message)) return 'temporary-space';
  if (message.startsWith('Out of Memory Error')) return 'out-of-memory';
  if (/No space left on device/.test(message)) return 'storage-full';
  return /^(Parser|Syntax) Error/.test(message) ? 'syntax' : 'failed';
}

/** Engine's names of error classes, with the class that Athena's users know. */
const CLASSES: readonly (readonly [RegExp, string])[] = [
  [/^(Parser|Syntax) Error: /, 'SYNTAX_ERROR: '],
  [/^Binder Error: Referenced column/, 'COLUMN_NOT_FOUND: Referenced column'],
  [/^Binder Error: /, 'SYNTAX_ERROR: '],
  [/^Catalog Error: /, 'NOT_FOUND: '],
  [/^Conversion Error: /, 'INVALID_CAST_ARGUMENT: '],
  [/^Out of Range Error: /, 'NUMERIC_VALUE_OUT_OF_RANGE: '],
  [/^Invalid Input Error: /, 'INVALID_FUNCTION_ARGUMENT: '],
  [/^(INTERNAL|FATAL) Error: /, 'GENERIC_INTERNAL_ERROR: '],
  [/^(IO|Permission) Error: /, 'DATA_UNREADABLE: '],
  [/^[A-Z][A-Za-z -]* Error: /, 'QUERY_ERROR: '],
];

function clean(raw: string, hidden: readonly string[]): string {
  let message = raw.split('\nStack Trace:')[0]!.replaceAll(STATEMENT_DATABASE, '');
  for (const directory of hidden) message = message.replaceAll(directory, '…');
  message = message
    .replaceAll(/\bt\d+_\d+\b/g, 'column')
    .replaceAll(/\nDid you mean [^\n]*/g, '')
    .replaceAll(/\n+(Candidate bindings?|Candidate functions|Possible solutions)/g, '\n$1')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim();
  for (const [pattern, name] of CLASSES) if (pattern.test(message)) return message.replace(pattern, name);
  return message;
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function full(cause: unknown): SqlError {
  return new SqlError({
    code: 'storage-full',
    message: 'the disk is full: the result could not be written',
    retry: 'backoff',
    hint: 'Free space on the disk that holds the data directory.',
    cause,
  });
}
