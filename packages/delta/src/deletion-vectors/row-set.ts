/**
 * A set of row positions in one data file, held as roaring bitmaps do: by the upper bits of the position, with each
 * block of 65,536 positions as a sorted list or as bits, whichever is smaller.
 */
import type { PositionBlock } from '../engine.ts';
import { assert, AssertionFailure } from '../errors.ts';

/** Positions that one block spans. */
export const BLOCK_ROWS = 65_536;
/** Positions up to which a block is a list: beyond it, bits are smaller (Roaring format specification). */
export const LIST_ROWS_MAX = 4_096;
const BLOCK_BYTES = BLOCK_ROWS / 8;

/** The lower 16 bits of the positions of one block. */
export type Block =
  | { readonly kind: 'list'; readonly values: Uint16Array }
  | { readonly kind: 'bits'; readonly bytes: Uint8Array; readonly size: number };

/** A run of positions, both ends inclusive. */
export interface RowRange {
  readonly first: number;
  readonly last: number;
}

/** Immutable. Positions are whole numbers from 0 to 2^53 - 1. */
export class RowSet {
  static readonly EMPTY = new RowSet(new Map());

  readonly size: number;
  /** By position divided by {@link BLOCK_ROWS}, ascending; none is empty. */
  readonly blocks: ReadonlyMap<number, Block>;

  /** Takes ownership of the blocks. */
  private constructor(blocks: ReadonlyMap<number, Block>) {
    this.blocks = blocks;
    let size = 0;
    for (const block of blocks.values()) size += blockSize(block);
    this.size = size;
  }

  /** Positions in any order, repeated or not. */
  static fromPositions(positions: Iterable<number>): RowSet {
    const byBlock = new Map<number, number[]>();
    // Positions mostly come in order.
    let last = -1;
    let values: number[] = [];
    for (const position of positions) {
      if (!Number.isSafeInteger(position) || position < 0) throw notAPosition(position);
      const key = Math.floor(position / BLOCK_ROWS);
      if (key !== last) {
        last = key;
        values = byBlock.get(key) ?? [];
        byBlock.set(key, values);
      }
      values.push(position - key * BLOCK_ROWS);
    }
    return RowSet.fromBlocks([...byBlock].map(([key, values]) => [key, blockOf(values)]));
  }

  /** Of positions by block, in any order, repeated or not; each block comes once. */
  static fromPositionBlocks(blocks: readonly PositionBlock[]): RowSet {
    return RowSet.fromBlocks(blocks.map(({ block, rests }) => [block, blockOf(rests)]));
  }

  /** Takes ownership of the blocks; empty ones are left out. Keys must be distinct. */
  static fromBlocks(blocks: Iterable<readonly [key: number, block: Block]>): RowSet {
    const kept = [...blocks].filter(([, block]) => blockSize(block) > 0);
    return new RowSet(new Map(kept.toSorted(([a], [b]) => a - b)));
  }

  has(position: number): boolean {
    const block = this.blocks.get(Math.floor(position / BLOCK_ROWS));
    if (block === undefined) return false;
    const low = position % BLOCK_ROWS;
    return block.kind === 'bits' ? hasBit(block.bytes, low) : indexOf(block.values, low) >= 0;
  }

  union(other: RowSet): RowSet {
    if (other.size === 0) return this;
    if (this.size === 0) return other;
    const blocks = new Map(this.blocks);
    for (const [key, block] of other.blocks) {
      const mine = blocks.get(key);
      blocks.set(key, mine === undefined ? block : unionOf(mine, block));
    }
    return RowSet.fromBlocks(blocks);
  }

  /** Ascending. */
  *positions(): Generator<number, void, undefined> {
    for (const [key, block] of this.blocks) {
      const base = key * BLOCK_ROWS;
      for (const low of lowPositions(block)) yield base + low;
    }
  }

  /** The greatest position; -1 for an empty set. */
  get last(): number {
    const key = [...this.blocks.keys()].at(-1);
    if (key === undefined) return -1;
    let last = 0;
    for (const low of lowPositions(this.blocks.get(key) as Block)) last = low;
    return key * BLOCK_ROWS + last;
  }

  /** Ascending, as few as there can be. */
  *ranges(): Generator<RowRange, void, undefined> {
    let first = -1;
    let last = -2;
    for (const position of this.positions()) {
      if (position === last + 1) last = position;
      else {
        if (first >= 0) yield { first, last };
        first = last = position;
      }
    }
    if (first >= 0) yield { first, last };
  }
}

function notAPosition(value: number): AssertionFailure {
  return new AssertionFailure(`a row position is no whole number: ${value}`);
}

/** The lower 16 bits of a block's positions, ascending. */
export function* lowPositions(block: Block): Generator<number, void, undefined> {
  if (block.kind === 'list') {
    yield* block.values;
    return;
  }
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    for (let byte = block.bytes[at] as number; byte !== 0; byte &= byte - 1) {
      yield at * 8 + (31 - Math.clz32(byte & -byte));
    }
  }
}

export function blockSize(block: Block): number {
  return block.kind === 'list' ? block.values.length : block.size;
}

/** A block of bits, of which `bytes` has {@link BLOCK_ROWS}, the lowest position first. Takes ownership of them. */
export function blockOfBits(bytes: Uint8Array): Block {
  assert(bytes.length === BLOCK_BYTES, 'a block of bits has one for each position');
  let size = 0;
  for (const byte of bytes) size += BITS_IN_BYTE[byte] as number;
  const block: Block = { kind: 'bits', bytes, size };
  return size > LIST_ROWS_MAX ? block : { kind: 'list', values: Uint16Array.from(lowPositions(block)) };
}

/** The positions of a block as bits, lowest first; not to be written to. */
export function bitsOf(block: Block): Uint8Array {
  if (block.kind === 'bits') return block.bytes;
  const bytes = new Uint8Array(BLOCK_BYTES);
  for (const low of block.values) setBit(bytes, low);
  return bytes;
}

const BITS_IN_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => {
  let bits = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) bits += 1;
  return bits;
});

function blockOf(values: ArrayLike<number>): Block {
  if (values.length <= LIST_ROWS_MAX) {
    const sorted = Uint16Array.from(values).sort();
    return { kind: 'list', values: isAscending(sorted) ? sorted : Uint16Array.from(new Set(sorted)) };
  }
  const bytes = new Uint8Array(BLOCK_BYTES);
  for (let at = 0; at < values.length; at += 1) setBit(bytes, values[at] as number);
  return blockOfBits(bytes);
}

function isAscending(values: Uint16Array): boolean {
  for (let at = 1; at < values.length; at += 1) {
    if ((values[at] as number) <= (values[at - 1] as number)) return false;
  }
  return true;
}

function unionOf(left: Block, right: Block): Block {
  const bytes = Uint8Array.from(bitsOf(left));
  if (right.kind === 'list') for (const low of right.values) setBit(bytes, low);
  else for (const [at, byte] of right.bytes.entries()) bytes[at] = (bytes[at] as number) | byte;
  return blockOfBits(bytes);
}

function setBit(bytes: Uint8Array, low: number): void {
  bytes[low >>> 3] = (bytes[low >>> 3] as number) | (1 << (low & 7));
}

function hasBit(bytes: Uint8Array, low: number): boolean {
  return ((bytes[low >>> 3] as number) & (1 << (low & 7))) !== 0;
}

function indexOf(values: Uint16Array, low: number): number {
  let from = 0;
  let to = values.length - 1;
  while (from <= to) {
    const middle = (from + to) >>> 1;
    const value = values[middle] as number;
    if (value === low) return middle;
    if (value < low) from = middle + 1;
    else to = middle - 1;
  }
  return -1;
}
