/**
 * Column types of Glue and Athena (Hive's names) and of Delta (the protocol's "Schema Serialization Format").
 * `varchar(n)` and `char(n)` become `string`, since Delta keeps no lengths; every other type comes back as it went.
 */
import type { StructField, StructType } from '@sluice/delta';
import { CatalogError } from '../errors.ts';

type DataType = StructField['type'];

const DELTA_OF_HIVE: Readonly<Record<string, DataType>> = {
  tinyint: 'byte',
  smallint: 'short',
  int: 'integer',
  integer: 'integer',
  bigint: 'long',
  boolean: 'boolean',
  float: 'float',
  double: 'double',
  string: 'string',
  date: 'date',
  timestamp: 'timestamp',
  timestamp_ntz: 'timestamp_ntz',
  binary: 'binary',
};

const HIVE_OF_DELTA: Readonly<Record<string, string>> = {
  byte: 'tinyint',
  short: 'smallint',
  integer: 'int',
  long: 'bigint',
  boolean: 'boolean',
  float: 'float',
  double: 'double',
  string: 'string',
  date: 'date',
  timestamp: 'timestamp',
  timestamp_ntz: 'timestamp_ntz',
  binary: 'binary',
};

const DECIMAL_PRECISION_MAX = 38;
const DEPTH_MAX = 32;

/** Rejects with `unsupported` for a type that Delta doesn't have, and `invalid` for a text that is no type. */
export function deltaType(hive: string, column: string): DataType {
  return new HiveTypeParser(hive, column).whole();
}

export function hiveType(type: DataType): string {
  if (typeof type === 'string') return HIVE_OF_DELTA[type] ?? type.replaceAll(' ', '');
  switch (type.type) {
    case 'array':
      return `array<${hiveType(type.elementType)}>`;
    case 'map':
      return `map<${hiveType(type.keyType)},${hiveType(type.valueType)}>`;
    case 'struct':
      return `struct<${type.fields.map((field) => `${hiveName(field.name)}:${hiveType(field.type)}`).join(',')}>`;
  }
}

/** Hive writes names that are no plain words between backticks. */
function hiveName(name: string): string {
  return /^\w+$/.test(name) ? name : `\`${name.replaceAll('`', '``')}\``;
}

const TOKEN = /\s*(?:(`(?:[^`]|``)+`)|([^\s<>,:()`]+)|([<>,:()]))\s*/y;

class HiveTypeParser {
  readonly #text: string;
  readonly #column: string;
  #at = 0;

  constructor(text: string, column: string) {
    this.#text = text;
    this.#column = column;
  }

  whole(): DataType {
    const type = this.#type(0);
    if (this.#at < this.#text.length) throw this.#malformed();
    return type;
  }

  #type(depth: number): DataType {
    if (depth > DEPTH_MAX) throw this.#malformed();
    const name = this.#next().toLowerCase();
    switch (name) {
      case 'array':
        return this.#between('<', '>', () => ({
          type: 'array',
          elementType: this.#type(depth + 1),
          containsNull: true,
        }));
      case 'map':
        return this.#between('<', '>', () => {
          const keyType = this.#type(depth + 1);
          this.#expect(',');
          return { type: 'map', keyType, valueType: this.#type(depth + 1), valueContainsNull: true };
        });
      case 'struct':
        return this.#between('<', '>', () => this.#struct(depth));
      case 'decimal':
      case 'numeric':
        return this.#decimal();
      case 'varchar':
      case 'char':
        if (this.#peek() === '(') this.#between('(', ')', () => this.#number());
        return 'string';
      default: {
        const type = DELTA_OF_HIVE[name];
        if (type !== undefined) return type;
        throw new CatalogError({
          code: 'unsupported',
          message: `the type "${name}" of the column "${this.#column}" is not one of a Delta table`,
          hint: `Types are ${Object.keys(DELTA_OF_HIVE).join(', ')}, decimal(p,s), varchar(n), char(n), array<…>, map<…,…> and struct<name:…>.`,
        });
      }
    }
  }

  #struct(depth: number): StructType {
    const fields: StructField[] = [];
    do {
      const raw = this.#next();
      const name = raw.startsWith('`') ? raw.slice(1, -1).replaceAll('``', '`') : raw;
      this.#expect(':');
      if (fields.some((field) => field.name.toLowerCase() === name.toLowerCase())) throw this.#malformed();
      fields.push({ name, type: this.#type(depth + 1), nullable: true, metadata: {} });
    } while (this.#take(','));
    return { type: 'struct', fields };
  }

  #decimal(): DataType {
    if (this.#peek() !== '(') return 'decimal(10,0)';
    return this.#between('(', ')', () => {
      const precision = this.#number();
      const scale = this.#take(',') ? this.#number() : 0;
      if (precision < 1 || precision > DECIMAL_PRECISION_MAX || scale > precision) throw this.#malformed();
      return `decimal(${precision},${scale})` as const;
    });
  }

  #between<Result>(open: string, close: string, inner: () => Result): Result {
    this.#expect(open);
    const result = inner();
    this.#expect(close);
    return result;
  }

  #number(): number {
    const text = this.#next();
    if (!/^\d{1,9}$/.test(text)) throw this.#malformed();
    return Number(text);
  }

  #next(): string {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#text);
    if (match === null) throw this.#malformed();
    this.#at = TOKEN.lastIndex;
    return match[1] ?? match[2] ?? match[3]!;
  }

  #peek(): string | undefined {
    TOKEN.lastIndex = this.#at;
    return TOKEN.exec(this.#text)?.[3];
  }

  #take(sign: string): boolean {
    if (this.#peek() !== sign) return false;
    this.#next();
    return true;
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) throw this.#malformed();
  }

  #malformed(): CatalogError {
    return new CatalogError({
      code: 'invalid',
      message: `the type "${this.#text}" of the column "${this.#column}" is malformed near character ${this.#at + 1}`,
      hint: 'Examples: bigint, decimal(10,2), array<string>, map<string,int>, struct<a:int,b:string>.',
    });
  }
}
