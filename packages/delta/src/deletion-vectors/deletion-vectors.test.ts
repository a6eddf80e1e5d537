import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, it } from 'node:test';
import type { DeletionVectorDescriptor } from '../log/actions.ts';
import type { TableIo } from '../snapshot/load.ts';
import { LocalStore } from '../store/local-store.ts';
import { JsonEngine } from '../testing/json-engine.ts';
import { MemoryStore } from '../testing/memory-store.ts';
import { readDeletionVector, readDeletionVectors, RowSet, writeDeletionVectors } from './index.ts';
import { decodeRowSet, encodeRowSet } from './roaring-format.ts';
import { z85Decode, z85Encode } from './z85.ts';
import { randomFrom } from '../testing/random.ts';

/** A whole file of Spark's with one vector of the rows 0, 2, 3 and 4. */
const SPARK_FILE = Buffer.from(
  '0100000028d1d339640100000000000000000000003a300000010000000000030010000000000002000300040081794007',
  'hex',
);
const SPARK_DESCRIPTOR: DeletionVectorDescriptor = {
  storageType: 'u',
  pathOrInlineDv: 'ITfmIXOK!>U^L:if1E+a',
  offset: 1,
  sizeInBytes: 40,
  cardinality: 4,
};
const SPARK_NAME = 'deletion_vector_8aebe228-b96c-4831-b0b6-22882eb9a3d3.bin';
/** The protocol's example of an inline vector. */
const INLINE: DeletionVectorDescriptor = {
  storageType: 'i',
  pathOrInlineDv: 'wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L',
  sizeInBytes: 40,
  cardinality: 6,
};
const UUIDS = ['d2c639aa-8816-431a-aaf6-d3fe2512ff61', '00000000-0000-4000-8000-000000000002'];

function tableIo(root = 'db/t'): TableIo & { store: MemoryStore } {
  return { store: new MemoryStore(), engine: new JsonEngine(), root };
}

function uuids(): () => string {
  let at = 0;
  return () => UUIDS[at++] ?? `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`;
}

async function sparkTable(bytes: Uint8Array = SPARK_FILE): Promise<TableIo> {
  const io = tableIo();
  await io.store.put(`db/t/${SPARK_NAME}`, bytes);
  return io;
}

describe('RowSet', () => {
  const far = 2 ** 40 + 5;
  const set = RowSet.fromPositions([9, 3, 3, 70_000, far, 4]);

  it('holds each position once, in order', () => {
    assert.deepEqual([...set.positions()], [3, 4, 9, 70_000, far]);
    assert.equal(set.size, 5);
    assert.equal(set.last, far);
    assert.ok(set.has(far) && set.has(3) && !set.has(5) && !set.has(far + 1));
    assert.equal(RowSet.EMPTY.last, -1);
  });

  it('joins sets', () => {
    const dense = RowSet.fromPositions(Array.from({ length: 10_000 }, (_, at) => at * 2));
    const union = set.union(dense);
    assert.equal(union.size, 10_000 + 3 + 1);
    assert.ok([3, 9, 70_000, far, 19_998].every((position) => union.has(position)));
    assert.equal(set.union(RowSet.EMPTY), set);
  });

  it('names its runs', () => {
    assert.deepEqual(
      [...RowSet.fromPositions([0, 1, 2, 7, 65_535, 65_536]).ranges()],
      [
        { first: 0, last: 2 },
        { first: 7, last: 7 },
        { first: 65_535, last: 65_536 },
      ],
    );
  });

  it('refuses what is no position', () => {
    assert.throws(() => RowSet.fromPositions([-1]), /row position/);
    assert.throws(() => RowSet.fromPositions([1.5]), /row position/);
  });
});

describe('the roaring format', () => {
  it('reads back what it wrote, in the smallest of the three forms', () => {
    const random = randomFrom(20261121);
    for (let round = 0; round < 60; round += 1) {
      const span = 10 ** (1 + Math.floor(random() * 6));
      const density = random() ** 3;
      const start = random() < 0.1 ? 2 ** 33 : 0;
      const run = 1 + Math.floor(random() * 40);
      const positions: number[] = [];
      for (let at = 0; at < span && positions.length < 60_000; at += 1) {
        if (random() < density / run)
          for (let step = 0; step < run; step += 1) positions.push(start + at + step);
      }
      const set = RowSet.fromPositions(positions);
      const bytes = encodeRowSet(set);
      assert.deepEqual([...decodeRowSet(bytes).positions()], [...set.positions()], `round ${round}`);
      assert.ok(bytes.length <= 64 + 2 * set.size + 40 * set.blocks.size);
    }
  });

  it('writes runs where they are smaller', () => {
    const rows = RowSet.fromPositions(Array.from({ length: 300_000 }, (_, at) => at));
    const bytes = encodeRowSet(rows);
    assert.ok(bytes.length < 100, `${bytes.length} bytes`);
    assert.equal(decodeRowSet(bytes).size, 300_000);
  });

  it('says where each container is', () => {
    const bitmap = Buffer.from(encodeRowSet(RowSet.fromPositions([5, 65_542, 65_550, 131_079]))).subarray(16);
    const offsets = [0, 1, 2].map((at) => bitmap.readUInt32LE(20 + 4 * at));
    assert.deepEqual(offsets, [32, 34, 38]);
    assert.deepEqual(
      offsets.map((offset) => bitmap.readUInt16LE(offset)),
      [5, 6, 7],
    );
  });

  it('writes what Spark writes', () => {
    const bytes = encodeRowSet(RowSet.fromPositions([0, 2, 3, 4]));
    assert.deepEqual(Buffer.from(bytes), SPARK_FILE.subarray(5, 45));
  });
});

describe('z85', () => {
  it('is as its specification says', () => {
    const hello = Uint8Array.of(0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b);
    assert.equal(z85Encode(hello), 'HelloWorld');
    assert.deepEqual(z85Decode('HelloWorld'), hello);
    for (const text of ['Hell', 'Hello"orld', '#####']) assert.equal(z85Decode(text), undefined);
  });
});

describe('deletion vectors in the log and in files', () => {
  it("reads the protocol's inline example", async () => {
    const rows = await readDeletionVector(tableIo(), INLINE);
    assert.deepEqual([...rows.positions()], [3, 4, 7, 11, 18, 29]);
  });

  it("reads Spark's file, by relative name, behind a prefix, and by absolute path", async () => {
    const io = await sparkTable();
    assert.deepEqual([...(await readDeletionVector(io, SPARK_DESCRIPTOR)).positions()], [0, 2, 3, 4]);
    await io.store.put(`db/t/ab/${SPARK_NAME}`, SPARK_FILE);
    const prefixed = { ...SPARK_DESCRIPTOR, pathOrInlineDv: `ab${SPARK_DESCRIPTOR.pathOrInlineDv}` };
    await io.store.delete(`db/t/${SPARK_NAME}`);
    assert.equal((await readDeletionVector({ ...io, root: 'db/t' }, prefixed)).size, 4);

    const directory = mkdtempSync(join(tmpdir(), 'sluice vectors '));
    try {
      writeFileSync(join(directory, SPARK_NAME), SPARK_FILE);
      const uri = pathToFileURL(join(directory, SPARK_NAME)).href;
      for (const pathOrInlineDv of [uri, encodeURI(join(directory, SPARK_NAME))]) {
        const absolute = { ...SPARK_DESCRIPTOR, storageType: 'p', pathOrInlineDv };
        const onDisk = { ...tableIo(), store: new LocalStore(directory) };
        assert.equal((await readDeletionVector(onDisk, absolute)).size, 4);
        await assert.rejects(readDeletionVector(tableIo(), absolute), { code: 'unsupported-feature' });
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('refuses names that lead out of the table', async () => {
    const io = await sparkTable();
    await io.store.put(`db/${SPARK_NAME}`, SPARK_FILE);
    const { pathOrInlineDv: own } = SPARK_DESCRIPTOR;
    for (const pathOrInlineDv of [`../${own}`, `ab/../../${own}`, `..\\${own}`]) {
      const hostile = { ...SPARK_DESCRIPTOR, pathOrInlineDv };
      await assert.rejects(readDeletionVector(io, hostile), { code: 'corrupt-log' }, pathOrInlineDv);
    }
    for (const pathOrInlineDv of [
      `../${SPARK_NAME}`,
      `%2E%2E/${SPARK_NAME}`,
      `x%2f..%2F..%2f${SPARK_NAME}`,
    ]) {
      const hostile = { ...SPARK_DESCRIPTOR, storageType: 'p', pathOrInlineDv };
      await assert.rejects(readDeletionVector(io, hostile), { code: 'corrupt-log' }, pathOrInlineDv);
    }
  });

  it('packs many into one file, tiny ones too', async () => {
    const io = tableIo();
    const many = Array.from({ length: 40 }, (_, at) =>
      RowSet.fromPositions(Array.from({ length: 50 + at }, (__, row) => row * (at + 2))),
    );
    const tiny = RowSet.fromPositions([7]);
    const described = await writeDeletionVectors(io, [...many, tiny], uuids());
    const names = new Set(described.map(({ pathOrInlineDv }) => pathOrInlineDv));
    assert.deepEqual([...names], ['^-aqEH.-t@S}K{vb[*k^'], "the name of the protocol's own example");
    const paths = [];
    for await (const { path } of io.store.list('')) paths.push(path);
    assert.deepEqual(paths, [`db/t/deletion_vector_${UUIDS[0]}.bin`]);
    const read = await readDeletionVectors({ ...io, store: copyOf(io.store) }, described);
    assert.deepEqual(
      read.map((set) => [...set.positions()]),
      [...many, tiny].map((set) => [...set.positions()]),
    );
  });

  it('begins another file when one is full', async () => {
    const io = tableIo();
    const random = randomFrom(1);
    // Each takes more than a third of a file.
    const big = Array.from({ length: 4 }, () =>
      RowSet.fromPositions(Array.from({ length: 400_000 }, () => Math.floor(random() * 40_000_000))),
    );
    const described = await writeDeletionVectors(io, big, uuids());
    assert.ok(new Set(described.map(({ pathOrInlineDv }) => pathOrInlineDv)).size > 1);
    const read = await readDeletionVectors({ ...io, store: copyOf(io.store) }, described);
    assert.deepEqual(
      read.map(({ size, last }) => [size, last]),
      big.map(({ size, last }) => [size, last]),
    );
  });

  it('keeps nothing in the log, however small', async () => {
    const io = tableIo();
    for (let rows = 1; rows < 30; rows += 1) {
      const set = RowSet.fromPositions(Array.from({ length: rows }, (_, at) => at * 3));
      const [descriptor] = await writeDeletionVectors(io, [set], uuids());
      assert.ok(descriptor !== undefined);
      assert.equal(descriptor.storageType, 'u');
      assert.equal((await readDeletionVector({ ...io, store: copyOf(io.store) }, descriptor)).size, rows);
    }
  });

  const damages: readonly [string, Uint8Array | undefined, Partial<DeletionVectorDescriptor>, RegExp][] = [
    ['a flipped bit', flipped(30), {}, /checksum/],
    ['a torn file', SPARK_FILE.subarray(0, 40), {}, /ends within/],
    ['a missing file', undefined, {}, /missing/],
    ['another size', SPARK_FILE, { sizeInBytes: 36 }, /40 bytes, but the log says 36/],
    ['another count', SPARK_FILE, { cardinality: 5 }, /4 rows, but the log says 5/],
    ['another format', flipped(0), {}, /format version/],
    ['an unknown storage', SPARK_FILE, { storageType: 'x' }, /storage type "x"/],
  ];
  for (const [what, bytes, change, why] of damages) {
    it(`refuses ${what}, naming the file`, async () => {
      const io = bytes === undefined ? tableIo() : await sparkTable(bytes);
      await assert.rejects(readDeletionVector(io, { ...SPARK_DESCRIPTOR, ...change }), (error: Error) => {
        assert.match(error.message, why);
        assert.match(error.message, change.storageType === undefined ? new RegExp(SPARK_NAME) : /"xITfm/);
        assert.equal((error as { code?: string }).code, 'corrupt-log');
        return true;
      });
    });
  }

  it('refuses damaged inline vectors', async () => {
    for (const change of [{ pathOrInlineDv: 'wi5b' }, { sizeInBytes: 80 }, { cardinality: 1 }]) {
      await assert.rejects(readDeletionVector(tableIo(), { ...INLINE, ...change }), { code: 'corrupt-log' });
    }
    for (let at = 0; at < INLINE.pathOrInlineDv.length; at += 1) {
      const text = INLINE.pathOrInlineDv;
      const pathOrInlineDv = `${text.slice(0, at)}0${text.slice(at + 1)}`;
      // Without a checksum some damage can't be seen; what counts is that it never ends in anything but an answer.
      const answer = await readDeletionVector(tableIo(), { ...INLINE, pathOrInlineDv }).catch(
        (error: unknown) => error,
      );
      assert.ok(
        answer instanceof RowSet || (answer as { code?: string }).code === 'corrupt-log',
        String(answer),
      );
    }
  });

  it('reads a vector once', async () => {
    const io = await sparkTable();
    await readDeletionVector(io, SPARK_DESCRIPTOR);
    await io.store.delete(`db/t/${SPARK_NAME}`);
    assert.equal((await readDeletionVector(io, SPARK_DESCRIPTOR)).size, 4);
  });

  it('refuses another count of a vector that it has read', async () => {
    const io = await sparkTable();
    await readDeletionVector(io, SPARK_DESCRIPTOR);
    const other = { ...SPARK_DESCRIPTOR, cardinality: 3 };
    await assert.rejects(readDeletionVector(io, other), /4 rows, but the log says 3/);
  });
});

function flipped(at: number): Uint8Array {
  const bytes = Buffer.from(SPARK_FILE);
  bytes[at] = (bytes[at] as number) ^ 0x10;
  return bytes;
}

/** The same objects behind another identity, of which nothing is remembered. */
function copyOf(store: MemoryStore): MemoryStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
