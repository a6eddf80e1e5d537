/**
 * Row sets as bytes: 64-bit roaring bitmaps behind Delta's magic number (protocol: "Deletion Vector Format"; Roaring
 * format specification, "Extension for 64-bit Implementations").
 */
import {
  BLOCK_ROWS,
  type Block,
  bitsOf,
  blockOfBits,
  blockSize,
  LIST_ROWS_MAX,
  lowPositions,
} from './row-set.ts';
import { RowSet } from './row-set.ts';

const MAGIC_PORTABLE = 1_681_511_377;
/**
 * What early Delta versions wrote: 32-bit bitmaps one after the other, each behind its size, with the numbers between
 * the bitmaps in little-endian order, or in big-endian order as in the protocol's own example of an inline vector.
 */
const MAGIC_NATIVE = 1_681_511_376;
const COOKIE_WITHOUT_RUNS = 12_346;
const COOKIE_WITH_RUNS = 12_347;
/** Containers from which a bitmap with runs has offsets too. */
const OFFSETS_FROM = 4;
const BITS_BYTES = BLOCK_ROWS / 8;
/** Upper 32 bits of a position that a JavaScript number holds. */
const HIGH_MAX = 2 ** 21 - 1;
/** Bitmaps of 2^32 rows each, far beyond what a data file has. */
const BITMAPS_MAX = 65_536;

/** Why bytes are no row set; readers name the file. */
export class RoaringFormatError extends Error {
  override readonly name = 'RoaringFormatError';
}

/** The bytes that a deletion vector's descriptor counts: magic number and bitmaps. */
export function encodeRowSet(set: RowSet): Uint8Array {
  const byHigh = new Map<number, [key: number, block: Block][]>();
  for (const [key, block] of set.blocks) {
    const high = Math.floor(key / 65_536);
    const entry: [number, Block] = [key % 65_536, block];
    const group = byHigh.get(high);
    if (group === undefined) byHigh.set(high, [entry]);
    else group.push(entry);
  }
  const head = Buffer.alloc(12);
  head.writeUInt32LE(MAGIC_PORTABLE, 0);
  head.writeBigUInt64LE(BigInt(byHigh.size), 4);
  const parts: Buffer[] = [head];
  for (const [high, blocks] of byHigh) {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(high, 0);
    parts.push(key, encodeBitmap(blocks));
  }
  return Buffer.concat(parts);
}

/** Throws {@link RoaringFormatError}. */
export function decodeRowSet(bytes: Uint8Array): RowSet {
  const reader = new Reader(bytes);
  const blocks: [number, Block][] = [];
  const magic = reader.u32('the magic number');
  if (magic === MAGIC_PORTABLE) readPortable(reader, blocks);
  else if (magic === MAGIC_NATIVE) readNative(reader, blocks, (word) => word);
  else if (swapped(magic) === MAGIC_NATIVE) readNative(reader, blocks, swapped);
  else throw new RoaringFormatError(`unknown magic number ${magic}`);
  if (reader.left > 0) throw new RoaringFormatError(`${reader.left} bytes follow its end`);
  return RowSet.fromBlocks(blocks);
}

function readPortable(reader: Reader, blocks: [number, Block][]): void {
  const count = checkedCount(
    reader.u32('the number of bitmaps') + reader.u32('the number of bitmaps') * 2 ** 32,
  );
  let last = -1;
  for (let at = 0; at < count; at += 1) {
    const high = reader.u32("a bitmap's key");
    if (high <= last || high > HIGH_MAX)
      throw new RoaringFormatError(`the bitmap key ${high} is out of order or range`);
    last = high;
    readBitmap(reader, high, blocks);
  }
}

function readNative(reader: Reader, blocks: [number, Block][], inOrder: (word: number) => number): void {
  const count = checkedCount(inOrder(reader.u32('the number of bitmaps')));
  for (let high = 0; high < count; high += 1) {
    const size = inOrder(reader.u32("a bitmap's size"));
    readBitmap(new Reader(reader.bytes(size, 'a bitmap')), high, blocks);
  }
}

function checkedCount(count: number): number {
  if (count > BITMAPS_MAX) throw new RoaringFormatError(`it claims ${count} bitmaps`);
  return count;
}

function readBitmap(reader: Reader, high: number, blocks: [number, Block][]): void {
  const cookie = reader.u32("a bitmap's cookie");
  const withRuns = (cookie & 0xff_ff) === COOKIE_WITH_RUNS;
  if (!withRuns && cookie !== COOKIE_WITHOUT_RUNS)
    throw new RoaringFormatError(`unknown bitmap cookie ${cookie}`);
  const count = withRuns ? (cookie >>> 16) + 1 : reader.u32('the number of containers');
  if (count > 65_536) throw new RoaringFormatError(`a bitmap claims ${count} containers`);
  const runs = withRuns ? reader.bytes(Math.ceil(count / 8), 'the flags of runs') : undefined;
  const heads = Array.from({ length: count }, () => ({
    key: reader.u16("a container's key"),
    size: reader.u16("a container's size") + 1,
  }));
  if (!withRuns || count >= OFFSETS_FROM) reader.bytes(4 * count, 'the offsets of containers');
  for (const [at, { key, size }] of heads.entries()) {
    const before = heads[at - 1];
    if (before !== undefined && before.key >= key)
      throw new RoaringFormatError('its containers are out of order');
    const isRuns = ((runs?.[at >>> 3] ?? 0) & (1 << (at & 7))) !== 0;
    const block = isRuns
      ? readRuns(reader)
      : size > LIST_ROWS_MAX
        ? readBits(reader)
        : readList(reader, size);
    if (blockSize(block) !== size) {
      throw new RoaringFormatError(`a container holds ${blockSize(block)} rows, but says ${size}`);
    }
    blocks.push([high * 65_536 + key, block]);
  }
}

function readList(reader: Reader, size: number): Block {
  const values = new Uint16Array(size);
  for (let at = 0; at < size; at += 1) {
    const value = reader.u16('a row');
    if (at > 0 && value <= (values[at - 1] as number))
      throw new RoaringFormatError('its rows are out of order');
    values[at] = value;
  }
  return { kind: 'list', values };
}

function readBits(reader: Reader): Block {
  return blockOfBits(Uint8Array.from(reader.bytes(BITS_BYTES, 'a container of bits')));
}

function readRuns(reader: Reader): Block {
  const bytes = new Uint8Array(BITS_BYTES);
  const count = reader.u16('the number of runs');
  for (let run = 0; run < count; run += 1) {
    const first = reader.u16("a run's start");
    const last = first + reader.u16("a run's length");
    if (last >= BLOCK_ROWS) throw new RoaringFormatError('a run goes beyond its container');
    for (let at = first; at <= last; at += 1) bytes[at >>> 3] = (bytes[at >>> 3] as number) | (1 << (at & 7));
  }
  return blockOfBits(bytes);
}

type Container = { readonly isRuns: boolean; readonly bytes: Buffer };

function encodeBitmap(blocks: readonly (readonly [key: number, block: Block])[]): Buffer {
  const containers = blocks.map(([, block]) => encodeContainer(block));
  const withRuns = containers.some(({ isRuns }) => isRuns);
  const flags = Buffer.alloc(withRuns ? Math.ceil(blocks.length / 8) : 0);
  const heads = Buffer.alloc(4 * blocks.length);
  for (const [at, [key, block]] of blocks.entries()) {
    if (containers[at]?.isRuns === true)
      flags.writeUInt8(flags.readUInt8(at >>> 3) | (1 << (at & 7)), at >>> 3);
    heads.writeUInt16LE(key, 4 * at);
    heads.writeUInt16LE(blockSize(block) - 1, 4 * at + 2);
  }
  const cookie = Buffer.alloc(withRuns ? 4 : 8);
  if (withRuns) cookie.writeUInt32LE(COOKIE_WITH_RUNS + (blocks.length - 1) * 65_536, 0);
  else {
    cookie.writeUInt32LE(COOKIE_WITHOUT_RUNS, 0);
    cookie.writeUInt32LE(blocks.length, 4);
  }
  const offsets = Buffer.alloc(!withRuns || blocks.length >= OFFSETS_FROM ? 4 * blocks.length : 0);
  let offset = cookie.length + flags.length + heads.length + offsets.length;
  for (const [at, { bytes }] of containers.entries()) {
    if (offsets.length > 0) offsets.writeUInt32LE(offset, 4 * at);
    offset += bytes.length;
  }
  return Buffer.concat([cookie, flags, heads, offsets, ...containers.map(({ bytes }) => bytes)]);
}

/** The smallest of the three forms. */
function encodeContainer(block: Block): Container {
  const runsBytes = 2 + 4 * countRuns(block);
  if (runsBytes < Math.min(2 * blockSize(block), BITS_BYTES)) {
    const runs = runsOf(block);
    const bytes = Buffer.alloc(runsBytes);
    bytes.writeUInt16LE(runs.length, 0);
    for (const [at, { first, last }] of runs.entries()) {
      bytes.writeUInt16LE(first, 2 + 4 * at);
      bytes.writeUInt16LE(last - first, 4 + 4 * at);
    }
    return { isRuns: true, bytes };
  }
  if (block.kind === 'bits') return { isRuns: false, bytes: Buffer.from(bitsOf(block)) };
  const bytes = Buffer.alloc(2 * block.values.length);
  for (let at = 0; at < block.values.length; at += 1) bytes.writeUInt16LE(block.values[at] as number, 2 * at);
  return { isRuns: false, bytes };
}

function countRuns(block: Block): number {
  let runs = 0;
  if (block.kind === 'list') {
    let last = -2;
    for (const low of block.values) {
      if (low !== last + 1) runs += 1;
      last = low;
    }
    return runs;
  }
  let carry = 0;
  for (const byte of block.bytes) {
    // The bits that have no set bit just below them.
    for (let starts = byte & ~((byte << 1) | carry); starts !== 0; starts &= starts - 1) runs += 1;
    carry = byte >>> 7;
  }
  return runs;
}

function runsOf(block: Block): { first: number; last: number }[] {
  const runs: { first: number; last: number }[] = [];
  for (const low of lowPositions(block)) {
    const run = runs.at(-1);
    if (run !== undefined && run.last === low - 1) run.last = low;
    else runs.push({ first: low, last: low });
  }
  return runs;
}

function swapped(word: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(word, 0);
  return bytes.readUInt32BE(0);
}

/** Little-endian numbers, never beyond the end. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u16(what: string): number {
    return this.#view.getUint16(this.#advance(2, what), true);
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#advance(4, what), true);
  }

  bytes(length: number, what: string): Uint8Array {
    const from = this.#advance(length, what);
    return this.#bytes.subarray(from, from + length);
  }

  #advance(length: number, what: string): number {
    const from = this.#at;
    if (length > this.left) throw new RoaringFormatError(`it ends within ${what}`);
    this.#at += length;
    return from;
  }
}
