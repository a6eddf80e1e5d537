/** Partition values that directories of Hive's kind show: `day=2024-01-31/hour=7/file.parquet`. */
import { DeltaError } from '../../errors.ts';
import { partitionConstant } from '../../schema/partition-value.ts';
import { type DataType, field, type StructField, type StructType } from '../../schema/types.ts';

const HIVE_NULL = '__HIVE_DEFAULT_PARTITION__';

/** The values in a path, in the order of its directories; null for Hive's word for NULL. */
export function hiveValues(path: string): Map<string, string | null> {
  const values = new Map<string, string | null>();
  for (const part of path.split('/').slice(0, -1)) {
    const at = part.indexOf('=');
    if (at <= 0) continue;
    const [name, text] = [unescaped(part.slice(0, at)), unescaped(part.slice(at + 1))];
    values.set(name, text === HIVE_NULL || text === '' ? null : text);
  }
  return values;
}

/**
 * The partition columns of a folder of files: those of `given`, or columns named by the directories with the narrowest
 * of integer, long, date and string that takes every value. Throws `invalid-schema` when paths show other columns than
 * given, or than one another, and `invalid-data` for a value that its type can't have.
 */
export function hiveColumns(paths: readonly string[], given: StructType | undefined): StructField[] {
  const [first = ''] = paths;
  const names = given?.fields.map(({ name }) => name) ?? [...hiveValues(first).keys()];
  const texts = new Map<string, Set<string>>(names.map((name) => [name, new Set()]));
  for (const path of paths) {
    const values = hiveValues(path);
    const isSame = values.size === names.length && names.every((name) => values.has(name));
    if (!isSame) {
      const shown = [...values.keys()].join(', ') || 'none';
      throw new DeltaError({
        code: 'invalid-schema',
        message: `"${path}" shows the partition columns ${shown}, expected ${names.join(', ') || 'none'}`,
      });
    }
    for (const [name, text] of values) if (text !== null) texts.get(name)?.add(text);
  }
  return names.map((name) => {
    const column =
      given?.fields.find((candidate) => candidate.name === name) ??
      field(name, inferredType(texts.get(name) ?? new Set()));
    for (const text of texts.get(name) ?? []) assertValue(text, column);
    return column;
  });
}

function inferredType(texts: ReadonlySet<string>): DataType {
  const every = (test: (text: string) => boolean): boolean => texts.size > 0 && [...texts].every(test);
  // A leading zero is part of a code or a date, not of a number: `05` would come back as 5.
  const isWhole = (text: string): boolean => /^(0|-?[1-9]\d{0,17})$/.test(text);
  if (every(isWhole)) return every((text) => Math.abs(Number(text)) < 2 ** 31) ? 'integer' : 'long';
  if (every((text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)))) return 'date';
  return 'string';
}

function assertValue(text: string, column: StructField): void {
  try {
    partitionConstant(text, column.type);
  } catch (cause) {
    const message = `"${text}" can't be a value of the partition column "${column.name}"`;
    throw new DeltaError({ code: 'invalid-data', message, cause });
  }
}

/** Hive writes what a path can't have as `%` and two hexadecimal digits, byte by byte. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
