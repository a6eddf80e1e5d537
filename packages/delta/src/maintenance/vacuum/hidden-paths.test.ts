import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isHiddenPath } from './hidden-paths.ts';

it('hides what begins with a dot or an underscore, but for change data and partitions', () => {
  const columns = ['_day', 'col-1'];
  const hidden = [
    '_delta_log/0.json',
    '_x/a.parquet',
    'a/.b.tmp',
    '.x',
    'p=1/_temporary/f',
    '_change_data/_x/f',
    '_days=1/f',
  ];
  const shown = [
    'a.parquet',
    'p=1/a.parquet',
    '_change_data/p=1/cdc.parquet',
    '_day=1/f',
    'deletion_vector_x.bin',
    'a_b/c.d',
  ];
  assert.deepEqual(
    hidden.filter((path) => !isHiddenPath(path, columns)),
    [],
  );
  assert.deepEqual(
    shown.filter((path) => isHiddenPath(path, columns)),
    [],
  );
});
