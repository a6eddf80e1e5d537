import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiReference, isStale, unexportedTypes } from './api-reference.ts';

test("the reference of @sluice/delta is what its sources say, and another one isn't", () => {
  const reference = apiReference();
  assert.equal(isStale(reference), false, 'run: node tools/api-reference.ts');
  assert.equal(isStale(reference.replace('DeltaTable', 'Table')), true);
});

test('every type that an export of @sluice/delta names can be imported', () => {
  assert.deepEqual(unexportedTypes(), [], 'export them from the entry point');
  assert.deepEqual(unexportedTypes(new Set()), ['CheckpointRead'], 'the look finds what is planted');
});
