import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extendedRequestId, newRequestId } from './request-id.ts';

test('ids have the forms that AWS has, and each is another', () => {
  const ids = Array.from({ length: 10_000 }, newRequestId);
  const extended = ids.map(extendedRequestId);
  for (const id of ids)
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  for (const id of extended) assert.match(id, /^[A-Za-z0-9+/]{76}$/);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(new Set(extended).size, ids.length);
});
