/**
 * One batch of records into lines of NDJSON: rows for the table, and rows about the records that are refused. A record
 * is atomic: when any object in it is refused, the whole of it is (D6 in SPEC.md). An aggregated record of the Kinesis
 * Producer Library is as many records as it holds; it counts as one only where it can't be taken apart.
 */
import type { StructField } from '@sluice/delta';
import { deaggregate, isAggregated, type Part } from '@sluice/sdk/aggregated-record';
import type { BatchRequest, OffsetRange, RecordsToWrite } from '../../../ports/row-writer.ts';
import { sequenceNumberOf } from '../../streams/index.ts';
import { castField, castFor, fold, membersOf, type Cast, type CastNotes } from './casts.ts';
import { inferField } from './infer.ts';
import { parseObjects, type JsonObject, type JsonValue } from './json-text.ts';
import { LineBuffer } from './line-buffer.ts';
import { checkUtf8, inflate, isGzip, RECORD_BYTES_MAX } from './payload.ts';
import { Rejection, shown, type RejectCode } from './reject.ts';
import { RowScanner } from './scan.ts';
import { isUtf8 } from 'node:buffer';

/** Where lines go; takes them before it returns. */
export type LineSink = (bytes: Uint8Array) => void;

interface Column {
  readonly field: StructField;
  readonly label: string;
  readonly cast: Cast;
}

/** A record of a user in an aggregated one. */
interface PartOf {
  readonly part: Part;
  /** From 0: its sub-sequence number. */
  readonly number: number;
}

interface Decided {
  readonly to: number;
  readonly rejected: readonly OffsetRange[];
  readonly parts: ReadonlyMap<number, readonly OffsetRange[]>;
}

export class BatchEncoder {
  readonly rejectedOffsets = new Map<number, [number, number][]>();
  readonly rejectedParts = new Map<number, [number, [number, number][]][]>();
  readonly rejectedByCode: Record<string, number> = {};
  readonly rows: LineBuffer;
  readonly rejected: LineBuffer;
  rowCount = 0;
  rejectedCount = 0;
  fieldsIgnored = 0;

  readonly #request: BatchRequest;
  readonly #decided: ReadonlyMap<number, Decided>;
  readonly #columns: Column[] = [];
  readonly #positions = new Map<string, number>();
  readonly #given: number;
  #scanner: RowScanner;

  constructor(request: BatchRequest, sinks: { readonly rows: LineSink; readonly rejected: LineSink }) {
    this.#request = request;
    this.#decided = new Map(
      request.decided.map(({ uid, to, rejected, rejectedParts = [] }) => [
        uid,
        { to, rejected, parts: new Map(rejectedParts) },
      ]),
    );
    this.rows = new LineBuffer(sinks.rows);
    this.rejected = new LineBuffer(sinks.rejected);
    for (const field of fieldsOf(request.schemaJson)) this.#addColumn(field);
    this.#given = this.#columns.length;
    this.#scanner = this.#newScanner();
  }

  /** Columns that rows of this batch need and the schema lacks. */
  get addedColumns(): readonly StructField[] {
    return this.#columns.slice(this.#given).map((column) => column.field);
  }

  add(run: RecordsToWrite): void {
    const decided = this.#decided.get(run.uid);
    for (let record = 0; record < run.count; record++) {
      const offset = run.firstOffset + record;
      if (decided !== undefined && offset <= decided.to && holds(decided.rejected, offset)) continue;
      this.#record(run, record);
    }
  }

  /** Hands what is buffered to the sinks. */
  flush(): void {
    this.rows.flush();
    this.rejected.flush();
  }

  #record(run: RecordsToWrite, record: number): void {
    const start = run.bounds[record * 2 + 1]!;
    const end = run.bounds[record * 2 + 2]!;
    try {
      if (isAggregated(run.bytes, start, end)) this.#parts(run, record);
      else this.#data(run.bytes, start, end);
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      this.#reject(run, record, error);
    }
  }

  #parts(run: RecordsToWrite, record: number): void {
    const offset = run.firstOffset + record;
    const read = deaggregate(run.bytes, run.bounds[record * 2 + 1]!, run.bounds[record * 2 + 2]!);
    if (read.kind === 'malformed')
      throw new Rejection('bad-aggregate', `the aggregated record can't be taken apart: ${read.reason}`);
    if (read.parts.length === 0) throw new Rejection('empty-record', 'the aggregated record holds no record');
    const decided = this.#decided.get(run.uid)?.parts.get(offset);
    for (let number = 0; number < read.parts.length; number++) {
      if (decided !== undefined && holds(decided, number)) continue;
      const part = read.parts[number]!;
      try {
        this.#data(run.bytes, part.start, part.end);
      } catch (error) {
        if (!(error instanceof Rejection)) throw error;
        this.#reject(run, record, error, { part, number });
      }
    }
  }

  #data(bytes: Uint8Array, start: number, end: number): void {
    if (isGzip(bytes, start, end)) {
      const data = inflate(bytes.subarray(start, end));
      this.#objects(data, 0, data.length);
    } else this.#objects(bytes, start, end);
  }

  #objects(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#request.rewriteAll && this.#passOn(bytes, start, end)) return;
    if (end - start > RECORD_BYTES_MAX)
      throw new Rejection('too-large', `the record has ${end - start} bytes, more than ${RECORD_BYTES_MAX}`);
    const data = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    checkUtf8(data);
    const objects = parseObjects(data.toString());
    const added = this.#columns.length;
    const notes = { fieldsIgnored: 0, rejectUnknown: this.#request.unknownFields === 'reject' };
    let lines = '';
    try {
      for (const object of objects) lines += `${this.#row(object, notes)}\n`;
    } catch (error) {
      this.#forgetColumnsFrom(added);
      throw error;
    }
    if (this.#columns.length > added) this.#scanner = this.#newScanner();
    this.rows.addText(lines);
    this.rowCount += objects.length;
    this.fieldsIgnored += notes.fieldsIgnored;
  }

  /** Whether all of the record went on as it is; otherwise nothing of it did. */
  #passOn(bytes: Uint8Array, start: number, end: number): boolean {
    const scanner = this.#scanner;
    const mark = this.rows.length;
    scanner.fieldsIgnored = 0;
    let objects = 0;
    let nonAscii = false;
    let at = afterSpace(bytes, start, end);
    while (at < end) {
      const next = end - start > RECORD_BYTES_MAX ? -1 : scanner.scan(bytes, at, end);
      if (next === -1) break;
      nonAscii ||= scanner.nonAscii;
      this.rows.addLine(bytes, at, next);
      objects++;
      at = afterSpace(bytes, next, end);
    }
    if (at < end || objects === 0 || (nonAscii && !isUtf8(bytes.subarray(start, end)))) {
      this.rows.truncate(mark);
      return false;
    }
    this.rows.endRecord();
    this.rowCount += objects;
    this.fieldsIgnored += scanner.fieldsIgnored;
    return true;
  }

  #row(object: JsonObject, notes: CastNotes): string {
    const members = membersOf(object, this.#positions, '');
    members.unknown.forEach((key, at) =>
      this.#unknown(key, members.unknownValues[at]!, { members: members.values, notes }),
    );
    let line = '{';
    for (let at = 0; at < this.#columns.length; at++) {
      const { field, label, cast } = this.#columns[at]!;
      const value = members.values[at];
      // The engine reads an absent member as null; one must stand, or the row is empty.
      if (value === undefined && field.nullable && at > 0) continue;
      const text = castField({ value, cast, nullable: field.nullable, path: field.name, notes });
      line += line === '{' ? label + text : `,${label}${text}`;
    }
    return `${line}}`;
  }

  #unknown(
    key: string,
    value: JsonValue,
    row: { members: (JsonValue | undefined)[]; notes: CastNotes },
  ): void {
    const policy = this.#request.unknownFields;
    if (policy === 'reject') throw new Rejection('unknown-field', `the table has no column "${shown(key)}"`);
    const known = this.#positions.get(fold(key));
    if (known !== undefined) throw new Rejection('duplicate-key', `the key "${shown(key)}" stands twice`);
    const field = policy === 'evolve' ? inferField(key, value) : undefined;
    if (field === undefined) {
      row.notes.fieldsIgnored++;
      return;
    }
    if (this.#columns.length - this.#given >= this.#request.columnsAddedMax)
      throw new Rejection('evolution-refused', `the table may get no further column for "${shown(key)}"`);
    row.members[this.#columns.length] = value;
    this.#addColumn(field);
  }

  #addColumn(field: StructField): void {
    this.#positions.set(fold(field.name), this.#columns.length);
    this.#columns.push({ field, label: `${JSON.stringify(field.name)}:`, cast: castFor(field.type) });
  }

  #forgetColumnsFrom(count: number): void {
    for (const column of this.#columns.splice(count)) this.#positions.delete(fold(column.field.name));
  }

  #newScanner(): RowScanner {
    return new RowScanner(
      this.#columns.map((column) => column.field),
      { ignoreUnknown: this.#request.unknownFields === 'ignore' },
    );
  }

  #reject(run: RecordsToWrite, record: number, { code, message }: Rejection, of?: PartOf): void {
    const { bytes, bounds } = run;
    const offset = run.firstOffset + record;
    const keyStart = bounds[record * 2]!;
    const dataStart = bounds[record * 2 + 1]!;
    const { start, end } = of?.part ?? { start: dataStart, end: bounds[record * 2 + 2]! };
    const data = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    const isText = isUtf8(data);
    const line = JSON.stringify({
      error_code: code satisfies RejectCode,
      error_message: message.toWellFormed(),
      delivery: this.#request.delivery,
      stream: this.#request.stream,
      shard_id: run.shardId,
      sequence_number: sequenceNumberOf(run, offset),
      sub_sequence_number: of?.number ?? null,
      partition_key:
        of?.part.partitionKey ??
        Buffer.from(bytes.buffer, bytes.byteOffset + keyStart, dataStart - keyStart).toString(),
      arrival_time: new Date(run.arrivalMs).toISOString(),
      data: isText ? data.toString() : null,
      data_base64: isText ? null : data.toString('base64'),
    });
    this.rejected.addText(`${line}\n`);
    this.rejectedCount++;
    this.rejectedByCode[code] = (this.rejectedByCode[code] ?? 0) + 1;
    if (of === undefined) extend(listOf(this.rejectedOffsets, run.uid), offset);
    else {
      const records = listOf(this.rejectedParts, run.uid);
      if (records.at(-1)?.[0] !== offset) records.push([offset, []]);
      extend(records.at(-1)![1], of.number);
    }
  }
}

function listOf<Item>(lists: Map<number, Item[]>, uid: number): Item[] {
  const list = lists.get(uid) ?? [];
  lists.set(uid, list);
  return list;
}

/** Numbers come rising. */
function extend(ranges: [number, number][], number: number): void {
  const last = ranges.at(-1);
  if (last !== undefined && last[1] === number - 1) last[1] = number;
  else ranges.push([number, number]);
}

function fieldsOf(schemaJson: string): readonly StructField[] {
  return (JSON.parse(schemaJson) as { fields: readonly StructField[] }).fields;
}

function afterSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (
    let byte = bytes[at];
    at < end && (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
    byte = bytes[at]
  )
    at++;
  return at;
}

/** Ranges rise and don't overlap. */
function holds(ranges: readonly OffsetRange[], offset: number): boolean {
  let [low, high] = [0, ranges.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [first, last] = ranges[middle]!;
    if (offset < first) high = middle - 1;
    else if (offset > last) low = middle + 1;
    else return true;
  }
  return false;
}
