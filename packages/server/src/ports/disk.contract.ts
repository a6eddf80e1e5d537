/** What every Disk does, faults apart. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Disk } from './disk.ts';

const text = (value: string) => Buffer.from(value);

export function diskContract(name: string, make: () => Promise<{ disk: Disk; directory: string }>): void {
  describe(`Disk: ${name}`, () => {
    test('a file keeps what is written, at its positions, in one or more buffers', async () => {
      const { disk, directory } = await make();
      const file = await disk.open(`${directory}/a`, { create: true });
      await file.write([text('hello'), text(''), text(' world')], 0);
      await file.write([text('W')], 6);
      await file.sync();
      assert.equal(await file.size(), 11);
      const target = Buffer.alloc(5);
      assert.equal(await file.read(target, 6), 5);
      assert.equal(target.toString(), 'World');
      await file.close();
    });

    test('a read at the end gives what there is', async () => {
      const { disk, directory } = await make();
      const file = await disk.open(`${directory}/a`, { create: true });
      await file.write([text('abc')], 0);
      assert.equal(await file.read(Buffer.alloc(10), 1), 2);
      assert.equal(await file.read(Buffer.alloc(10), 3), 0);
      assert.equal(await file.read(Buffer.alloc(0), 0), 0);
      await file.close();
    });

    test('more buffers than one system call takes are all written', async () => {
      const { disk, directory } = await make();
      const file = await disk.open(`${directory}/a`, { create: true });
      const buffers = Array.from({ length: 3_000 }, (_, index) => text(`${index},`));
      await file.write(buffers, 0);
      const all = Buffer.alloc(await file.size());
      await file.read(all, 0);
      assert.equal(all.toString(), Buffer.concat(buffers).toString());
      await file.close();
    });

    test('a cut file ends where it was cut, and grows again with zeros', async () => {
      const { disk, directory } = await make();
      const file = await disk.open(`${directory}/a`, { create: true });
      await file.write([text('abcdef')], 0);
      await file.truncate(2);
      assert.equal(await file.size(), 2);
      await file.write([text('z')], 4);
      const target = Buffer.alloc(5);
      await file.read(target, 0);
      assert.equal(target.toString(), 'ab\0\0z');
      await file.close();
    });

    test('opening says whether the file is there', async () => {
      const { disk, directory } = await make();
      await assert.rejects(disk.open(`${directory}/a`), { code: 'not-found' });
      const file = await disk.open(`${directory}/a`, { create: true });
      await assert.rejects(disk.open(`${directory}/a`, { create: true }), { code: 'exists' });
      await file.close();
      await (await disk.open(`${directory}/a`)).close();
    });

    test('files are listed by name in order; an absent directory has none', async () => {
      const { disk, directory } = await make();
      for (const name of ['b', 'a', 'c'])
        await (await disk.open(`${directory}/${name}`, { create: true })).close();
      await disk.syncDirectory(directory);
      assert.deepEqual(await disk.list(directory), ['a', 'b', 'c']);
      assert.deepEqual(await disk.list(`${directory}/none`), []);
    });

    test('a rename replaces, and the open file stays the same one', async () => {
      const { disk, directory } = await make();
      const file = await disk.open(`${directory}/new`, { create: true });
      await file.write([text('new')], 0);
      const old = await disk.open(`${directory}/old`, { create: true });
      await old.write([text('old')], 0);
      await disk.rename(`${directory}/new`, `${directory}/old`);
      await file.write([text('!')], 3);
      assert.deepEqual(await disk.list(directory), ['old']);
      const again = await disk.open(`${directory}/old`);
      assert.equal(await again.size(), 4);
      for (const open of [file, old, again]) await open.close();
    });

    test('a removed file is gone, and still readable where it is open', async () => {
      const { disk, directory } = await make();
      const file = await disk.open(`${directory}/a`, { create: true });
      await file.write([text('abc')], 0);
      await disk.remove(`${directory}/a`);
      await disk.remove(`${directory}/a`);
      assert.deepEqual(await disk.list(directory), []);
      assert.equal(await file.read(Buffer.alloc(3), 0), 3);
      await file.close();
    });
  });
}
