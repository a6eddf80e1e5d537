import { DeltaError } from '../errors.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import type { DataType, PrimitiveName, StructField } from './types.ts';
import { decimalOf, field } from './types.ts';

const DUCKDB_BY_NAME: Record<PrimitiveName, string> = {
  string: 'VARCHAR',
  long: 'BIGINT',
  integer: 'INTEGER',
  short: 'SMALLINT',
  byte: 'TINYINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  binary: 'BLOB',
  date: 'DATE',
  timestamp: 'TIMESTAMP WITH TIME ZONE',
  timestamp_ntz: 'TIMESTAMP',
  variant: 'VARIANT',
};

const NAME_BY_DUCKDB: Readonly<Record<string, PrimitiveName>> = {
  ...(Object.fromEntries(Object.entries(DUCKDB_BY_NAME).map(([name, duckdb]) => [duckdb, name])) as Record<
    string,
    PrimitiveName
  >),
  TEXT: 'string',
  STRING: 'string',
  INT8: 'long',
  LONG: 'long',
  INT: 'integer',
  INT4: 'integer',
  INT2: 'short',
  INT1: 'byte',
  REAL: 'float',
  FLOAT4: 'float',
  FLOAT8: 'double',
  BOOL: 'boolean',
  BYTEA: 'binary',
  VARBINARY: 'binary',
  TIMESTAMPTZ: 'timestamp',
  DATETIME: 'timestamp_ntz',
};

/** The DuckDB type, in SQL, that holds a Delta type without loss. */
export function duckDbType(type: DataType): string {
  if (typeof type === 'string') {
    const decimal = decimalOf(type);
    return decimal === undefined
      ? DUCKDB_BY_NAME[type as PrimitiveName]
      : `DECIMAL(${decimal.precision},${decimal.scale})`;
  }
  if (type.type === 'array') return `${duckDbType(type.elementType)}[]`;
  if (type.type === 'map') return `MAP(${duckDbType(type.keyType)}, ${duckDbType(type.valueType)})`;
  return `STRUCT(${type.fields.map((field) => `${quoteIdentifier(field.name)} ${duckDbType(field.type)}`).join(', ')})`;
}

/**
 * The Delta type of a column that DuckDB describes as `text` (as in `DESCRIBE`). Types that Delta can't store without
 * loss (unsigned and 128-bit integers, TIME, UUID, nanoseconds, enums, unions …) throw `unsupported-type`: cast them
 * first.
 */
export function deltaTypeFromDuckDb(text: string): DataType {
  const parser = new TypeParser(text);
  const type = parser.type();
  parser.end();
  return type;
}

/** Recursive descent over DuckDB's text form of a type. */
class TypeParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  type(): DataType {
    let type = this.#base();
    for (;;) {
      const suffix = this.#take(/^\s*\[\s*(\d*)\s*\]/);
      if (suffix === undefined) return type;
      if (suffix !== '[]') throw this.#unsupported('fixed-size arrays');
      type = { type: 'array', elementType: type, containsNull: true };
    }
  }

  end(): void {
    if (this.#text.slice(this.#at).trim() !== '') throw this.#unsupported();
  }

  #base(): DataType {
    const word = this.#take(/^\s*[A-Za-z_][A-Za-z_0-9]*( WITH TIME ZONE)?/i)?.toUpperCase();
    if (word === undefined) throw this.#unsupported();
    if (word === 'STRUCT') return { type: 'struct', fields: this.#fields() };
    if (word === 'MAP') {
      this.#expect('(');
      const keyType = this.type();
      this.#expect(',');
      const valueType = this.type();
      this.#expect(')');
      return { type: 'map', keyType, valueType, valueContainsNull: true };
    }
    if (word === 'DECIMAL' || word === 'NUMERIC') {
      const match = /^\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)/.exec(this.#text.slice(this.#at));
      if (match === null) return 'decimal(18,3)';
      this.#at += match[0].length;
      return `decimal(${Number(match[1])},${Number(match[2])})`;
    }
    const name = NAME_BY_DUCKDB[word];
    if (name === undefined) throw this.#unsupported();
    if (name === 'string') this.#take(/^\s*\(\s*\d+\s*\)/);
    return name;
  }

  #fields(): StructField[] {
    const fields: StructField[] = [];
    this.#expect('(');
    do {
      const token = this.#take(/^\s*("(?:[^"]|"")*"|[^\s"(),]+)/);
      if (token === undefined) throw this.#unsupported();
      const name = token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token;
      fields.push(field(name, this.type()));
    } while (this.#take(/^\s*,/) !== undefined);
    this.#expect(')');
    return fields;
  }

  #expect(token: string): void {
    const rest = this.#text.slice(this.#at);
    const blank = rest.length - rest.trimStart().length;
    if (!rest.startsWith(token, blank)) throw this.#unsupported();
    this.#at += blank + token.length;
  }

  #take(pattern: RegExp): string | undefined {
    const match = pattern.exec(this.#text.slice(this.#at));
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match[0].replaceAll(/^\s+|\s+$/g, '');
  }

  #unsupported(what = 'it'): DeltaError {
    return new DeltaError({
      code: 'unsupported-type',
      message: `DuckDB's type "${this.#text}" has no Delta type: ${what} can't be stored without loss`,
      hint: 'Cast the column to a type that Delta has, such as BIGINT, DECIMAL(38,0), VARCHAR or TIMESTAMP WITH TIME ZONE.',
    });
  }
}
