import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parityFiles, services, staleFiles } from './parity.ts';

test('docs/parity is what the tables of the services say', () => {
  assert.deepEqual(staleFiles(parityFiles(services())), [], 'run: node tools/parity.ts');
});

test('a member that a service no longer takes makes the report stale', () => {
  const [first, ...rest] = services();
  assert.ok(first !== undefined);
  const { PutRecord: _, ...operations } = first.operations;
  const stale = staleFiles(parityFiles([{ ...first, operations }, ...rest]));
  assert.deepEqual(stale, [`${first.name}.json`, 'README.md']);
});
