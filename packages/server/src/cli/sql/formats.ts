/** Rows as csv (RFC 4180), json and ndjson (RFC 8259), with values exactly as they are. */
export const SQL_FORMATS = ['table', 'csv', 'json', 'ndjson'] as const;
export type SqlFormat = (typeof SQL_FORMATS)[number];
export type RowFormat = Exclude<SqlFormat, 'table'>;

export interface ResultColumn {
  readonly name: string;
  /** Athena's name of the type. */
  readonly type: string;
}

/** Values as Athena prints them; undefined for NULL. */
export type Row = readonly (string | undefined)[];

export interface RowWriter {
  readonly head: string;
  /** The text of rows; the first row of the result is told apart. */
  rows(rows: readonly Row[]): string;
  tail(): string;
}

export function rowWriter(format: RowFormat, columns: readonly ResultColumn[]): RowWriter {
  if (format === 'csv') {
    const line = (cells: readonly string[]) => `${cells.join(',')}\n`;
    return {
      head: line(columns.map((column) => csvCell(column.name))),
      rows: (rows) => rows.map((row) => line(columns.map((_, index) => csvCell(row[index])))).join(''),
      tail: () => '',
    };
  }
  const toObject = jsonObjects(columns);
  if (format === 'ndjson') {
    return { head: '', rows: (rows) => rows.map((row) => `${toObject(row)}\n`).join(''), tail: () => '' };
  }
  let any = false;
  return {
    head: '[',
    rows(rows) {
      const text = rows.map((row, index) => `${any || index > 0 ? ',' : ''}\n${toObject(row)}`).join('');
      any ||= rows.length > 0;
      return text;
    },
    tail: () => (any ? '\n]\n' : ']\n'),
  };
}

/** NULL is nothing at all; the empty string is a pair of quotes. */
function csvCell(value: string | undefined): string {
  if (value === undefined) return '';
  return value === '' || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

function jsonObjects(columns: readonly ResultColumn[]): (row: Row) => string {
  const keys = uniqueNames(columns).map((name) => JSON.stringify(name));
  const encoders = columns.map((column) => jsonEncoder(column.type));
  return (row) => {
    const members = keys.map((key, index) => {
      const value = row[index];
      return `${key}:${value === undefined ? 'null' : encoders[index]!(value)}`;
    });
    return `{${members.join(',')}}`;
  };
}

/** A second column of one name gets a number, since an object has a key once. */
function uniqueNames(columns: readonly ResultColumn[]): string[] {
  const taken = new Set<string>();
  return columns.map(({ name }) => {
    let unique = name;
    for (let copy = 2; taken.has(unique); copy++) unique = `${name}_${copy}`;
    taken.add(unique);
    return unique;
  });
}

/** Significant digits that an IEEE 754 double keeps of any decimal number. */
const DOUBLE_DIGITS = 15;
const INTEGERS = new Set(['tinyint', 'smallint', 'integer', 'int', 'bigint']);
const FLOATS = new Set(['float', 'real', 'double']);

function jsonEncoder(type: string): (value: string) => string {
  const base = type.replace(/\(.*/s, '').toLowerCase();
  if (base === 'boolean')
    return (value) => (value === 'true' || value === 'false' ? value : JSON.stringify(value));
  if (INTEGERS.has(base)) {
    return (value) => (Number.isSafeInteger(Number(value)) ? String(Number(value)) : JSON.stringify(value));
  }
  // Engines print a double in the fewest digits that read back as the same one.
  if (FLOATS.has(base)) {
    return (value) => (Number.isFinite(Number(value)) ? String(Number(value)) : JSON.stringify(value));
  }
  if (base === 'decimal') {
    return (value) => {
      const digits = value.replaceAll(/^[-+]?[0.]*|\./g, '').length;
      return digits <= DOUBLE_DIGITS ? String(Number(value)) : JSON.stringify(value);
    };
  }
  return (value) => JSON.stringify(value);
}

const RIGHT_ALIGNED = new Set([...INTEGERS, ...FLOATS, 'decimal']);

export function isNumeric(type: string): boolean {
  return RIGHT_ALIGNED.has(type.replace(/\(.*/s, '').toLowerCase());
}
