/**
 * Days and moments in files that Spark wrote in its legacy calendar: the Julian one before 15 October 1582, as Spark 2 has
 * it, and later versions where they are told to (`spark.sql.parquet.datetimeRebaseModeInWrite=LEGACY`). A mark in the
 * file says so; a date is to come out as it was meant, with the same year, month and day.
 *
 * Only files whose statistics tell of a day that old are looked into. Where a table keeps no statistics of a column, its
 * old days come out as the file has them.
 */
import type { Engine } from '../engine.ts';
import { DeltaError } from '../errors.ts';
import type { AddFile } from '../log/actions.ts';
import { type DataType, someType } from '../schema/types.ts';
import { FooterFacts } from './footer-facts.ts';
import { quoteText } from './quote.ts';
import type { ScanColumn } from './scan-columns.ts';

/** Columns of a kind that a file has in the legacy calendar. */
export interface LegacyColumns {
  readonly dates: boolean;
  readonly timestamps: boolean;
}

/** Each kind is one object, by which files that are alike are known. */
const LEGACY_COLUMNS: readonly LegacyColumns[] = [
  { dates: true, timestamps: true },
  { dates: true, timestamps: false },
  { dates: false, timestamps: true },
];

/** In statistics: a day up to 1582, the same of a moment, and a moment before 1900, until when time zones differ too. */
const OLD_DAY = /"(?:-\d+|0\d{3}|1[0-4]\d\d|15[0-7]\d|158[0-2])-\d\d-\d\d"/;
const OLD_MOMENT = /"(?:-\d+|0\d{3}|1[0-4]\d\d|15[0-7]\d|158[0-2])-\d\d-\d\d[T ]/;
const MOMENT_BEFORE_1900 = /"(?:-\d+|0\d{3}|1[0-8]\d\d)-\d\d-\d\d[T ]/;

/** Marks in a Parquet file's metadata (Spark: `ParquetWriteSupport`, `DataSourceUtils`). */
const MARKS = {
  version: 'org.apache.spark.version',
  dates: 'org.apache.spark.legacyDateTime',
  int96: 'org.apache.spark.legacyINT96',
  zone: 'org.apache.spark.timeZone',
} as const;
const UTC_NAMES = new Set(['UTC', 'Etc/UTC', 'GMT', 'Z', '+00:00']);

type Marks = ReadonlyMap<string, string>;

const FOOTER_MARKS = new FooterFacts<Marks>(
  (files) =>
    `SELECT file_name, CAST(to_json(list([decode(key), decode(value)] ORDER BY key)) AS VARCHAR) ` +
    `FROM parquet_kv_metadata(${files}) WHERE key IN (${Object.values(MARKS)
      .map((key) => `encode(${quoteText(key)})`)
      .join(', ')}) GROUP BY file_name`,
  (text) => new Map(JSON.parse(text) as [string, string][]),
);

/**
 * By the index of a file, what it has in the legacy calendar; files that have nothing are left out. Throws
 * `unsupported-feature`, naming the file, for what can't be told or mended: moments of another time zone than UTC, and
 * days within structs, lists and maps.
 */
export async function legacyColumns(
  engine: Engine,
  columns: readonly ScanColumn[],
  { files, paths }: { files: readonly AddFile[]; paths: readonly string[] },
): Promise<ReadonlyMap<number, LegacyColumns>> {
  const found = new Map<number, LegacyColumns>();
  const types = columns.flatMap((column) => (column.kind === 'data' ? [column.type] : []));
  const has = (kind: DataType): boolean => types.some((type) => someType(type, (each) => each === kind));
  const kinds = { date: has('date'), timestamp: has('timestamp') };
  if (engine.session === undefined || !(kinds.date || kinds.timestamp)) return found;
  const suspects = files.flatMap((file, at) => {
    const age = ageOf(file.stats ?? '', kinds);
    return age === undefined ? [] : [{ file, at, age, path: paths[at] ?? '' }];
  });
  if (suspects.length === 0) return found;
  const marks = await FOOTER_MARKS.of(
    engine,
    suspects.map(({ path }) => path),
  );
  for (const { file, at, age, path } of suspects) {
    const own = marks.get(path);
    const legacy = own === undefined ? undefined : legacyOf(own, age, file);
    if (legacy === undefined) continue;
    if (types.some((type) => typeof type !== 'string' && isDated(type))) {
      throw refused(file, 'days within structs, lists or maps');
    }
    found.set(at, legacy);
  }
  return found;
}

/** Gives columns as files in the legacy calendar have them, the same ones for files that are alike. */
export function legacyVariants(): (
  columns: readonly ScanColumn[],
  legacy: LegacyColumns | undefined,
) => readonly ScanColumn[] {
  const made = new Map<LegacyColumns, Map<readonly ScanColumn[], readonly ScanColumn[]>>();
  return (columns, legacy) => {
    if (legacy === undefined) return columns;
    const known = made.get(legacy) ?? new Map<readonly ScanColumn[], readonly ScanColumn[]>();
    made.set(legacy, known);
    const variant = known.get(columns) ?? columns.map((column) => inLegacyCalendar(column, legacy));
    known.set(columns, variant);
    return variant;
  };
}

function inLegacyCalendar(column: ScanColumn, { dates, timestamps }: LegacyColumns): ScanColumn {
  if (column.kind === 'partition') return column;
  const isLegacy = (dates && column.type === 'date') || (timestamps && column.type === 'timestamp');
  return isLegacy ? { ...column, isLegacy } : column;
}

/** A column's day or moment, as it was meant; `value` is a DATE, or a TIMESTAMP WITH TIME ZONE while the zone is UTC. */
export function inOurCalendar(value: string, type: DataType): string {
  if (type === 'date') {
    const days = `(${value} - DATE '1970-01-01')`;
    return `CASE WHEN ${value} < DATE '1582-10-15' THEN ${value} + CAST(${shiftSql(days)} AS INTEGER) ELSE ${value} END`;
  }
  const micros = `epoch_us(${value})`;
  const days = `floor(${micros} / ${DAY_MICROS})`;
  const moved = `make_timestamptz(${micros} + CAST(${shiftSql(days)} AS BIGINT) * ${DAY_MICROS})`;
  return `CASE WHEN ${value} < TIMESTAMPTZ '1582-10-15 00:00:00+00' THEN ${moved} ELSE ${value} END`;
}

const DAY_MICROS = 86_400_000_000;
/**
 * Days since 1970 from which a Julian date is so many days from the one of its name in the Gregorian calendar, down to the
 * year 1: each first of March after a day that only the Julian calendar has.
 */
const SHIFTS: readonly (readonly [from: number, days: number])[] = [
  [-171_595, -10],
  [-208_120, -9],
  [-244_645, -8],
  [-317_695, -7],
  [-354_220, -6],
  [-390_745, -5],
  [-463_795, -4],
  [-500_320, -3],
  [-536_845, -2],
  [-609_895, -1],
  [-646_420, 0],
  [-682_945, 1],
  [-719_164, 2],
];

function shiftSql(days: string): string {
  const branches = SHIFTS.map(([from, shift]) => `WHEN ${days} >= ${from} THEN ${shift}`);
  return `CASE ${branches.join(' ')} ELSE error('a day before the year 1 in the legacy calendar of Spark') END`;
}

/** How old the moments of a file are, where it may have days or moments that calendars differ in. */
interface Age {
  readonly hasOldMoment: boolean;
  readonly hasMomentBefore1900: boolean;
}

function ageOf(
  stats: string,
  kinds: { readonly date: boolean; readonly timestamp: boolean },
): Age | undefined {
  const hasMomentBefore1900 = kinds.timestamp && MOMENT_BEFORE_1900.test(stats);
  if (!hasMomentBefore1900 && !(kinds.date && OLD_DAY.test(stats))) return undefined;
  return { hasMomentBefore1900, hasOldMoment: hasMomentBefore1900 && OLD_MOMENT.test(stats) };
}

function isDated(type: DataType): boolean {
  return someType(type, (each) => each === 'date' || each === 'timestamp');
}

function legacyOf(marks: Marks, age: Age, file: AddFile): LegacyColumns | undefined {
  const isSpark2 = Number.parseInt(marks.get(MARKS.version) ?? '3', 10) < 3;
  const dates = isSpark2 || marks.has(MARKS.dates);
  const int96 = isSpark2 || marks.has(MARKS.int96);
  if (!dates && !int96) return undefined;
  // Spark 2 doesn't tell its zone; Spark takes that of the reader then, which is UTC here.
  const isUtc = UTC_NAMES.has(marks.get(MARKS.zone) ?? 'UTC');
  if (age.hasMomentBefore1900 && !isUtc) throw refused(file, 'moments of another time zone than UTC');
  if (age.hasOldMoment && dates !== int96) throw refused(file, 'moments of which it says both');
  return LEGACY_COLUMNS.find((each) => each.dates === dates && each.timestamps === int96);
}

function refused(file: AddFile, what: string): DeltaError {
  return new DeltaError({
    code: 'unsupported-feature',
    message: `the file "${file.path}" is in the legacy calendar of Spark, and has ${what}`,
    hint: 'Write its rows anew with Spark, with spark.sql.parquet.datetimeRebaseModeInWrite=CORRECTED.',
  });
}
