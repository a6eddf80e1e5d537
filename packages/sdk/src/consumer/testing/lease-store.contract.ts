/** What every lease store keeps to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease } from '../core/lease.ts';
import type { LeaseScope, LeaseStore } from '../leases/lease-store.ts';

const LEASE: Lease = {
  shardId: 'shardId-000000000000',
  owner: undefined,
  counter: 0,
  term: 0,
  checkpoint: { kind: 'trim-horizon' },
  parents: ['a', 'b'],
  requestedBy: undefined,
};

/** `stores` gives two ways into the same store, as two workers have. */
export function leaseStoreContract(
  name: string,
  stores: () => Promise<readonly [LeaseStore, LeaseStore]>,
): void {
  let scopes = 0;
  const open = async () => {
    const [one, other] = await stores();
    const scope: LeaseScope = { application: `app ${scopes++}`, stream: 'flights' };
    return { one, other, scope };
  };

  test(`${name}: a lease comes back as it was written, to all workers`, async () => {
    const { one, other, scope } = await open();
    assert.equal(await one.create(scope, LEASE), true);
    assert.deepEqual(await other.read(scope, LEASE.shardId), LEASE);
    const full: Lease = {
      ...LEASE,
      owner: 'me',
      requestedBy: 'you',
      counter: 7,
      term: 3,
      parents: [],
      checkpoint: { kind: 'after', sequenceNumber: '4'.repeat(56), subSequenceNumber: 2 },
    };
    assert.equal(await other.replace(scope, full, 0), true);
    assert.deepEqual(await one.list(scope), [full]);
    assert.equal(await one.replace(scope, { ...LEASE, counter: 8 }, 7), true);
    assert.deepEqual(await other.list(scope), [{ ...LEASE, counter: 8 }]);
  });

  test(`${name}: a write with another counter changes nothing`, async () => {
    const { one, other, scope } = await open();
    await one.create(scope, LEASE);
    assert.equal(await other.create(scope, { ...LEASE, owner: 'you' }), false);
    assert.equal(await other.replace(scope, { ...LEASE, owner: 'you', counter: 2 }, 1), false);
    assert.equal(await other.delete(scope, LEASE.shardId, 1), false);
    assert.equal(await other.replace(scope, { ...LEASE, shardId: 'none' }, 0), false);
    assert.equal(await other.delete(scope, 'none', 0), false);
    assert.deepEqual(await one.list(scope), [LEASE]);
    assert.equal(await other.delete(scope, LEASE.shardId, 0), true);
    assert.equal(await one.read(scope, LEASE.shardId), undefined);
  });

  test(`${name}: of writes at the same time one is made`, async () => {
    const { one, other, scope } = await open();
    await one.create(scope, LEASE);
    for (let counter = 0; counter < 20; counter++) {
      const written = await Promise.all(
        [one, other, one, other].map((store, index) =>
          store.replace(scope, { ...LEASE, owner: `w${index}`, counter: counter + 1 }, counter),
        ),
      );
      const winners = written.flatMap((isWritten, index) => (isWritten ? [`w${index}`] : []));
      assert.equal(winners.length, 1);
      assert.equal((await one.read(scope, LEASE.shardId))!.owner, winners[0]);
    }
  });

  test(`${name}: applications and streams have nothing to do with one another`, async () => {
    const { one, scope } = await open();
    await one.create(scope, LEASE);
    for (const other of [
      { ...scope, stream: 'else' },
      { ...scope, application: 'else' },
    ]) {
      assert.deepEqual(await one.list(other), []);
      assert.equal(await one.replace(other, { ...LEASE, counter: 1 }, 0), false);
      assert.equal(await one.delete(other, LEASE.shardId, 0), false);
    }
    assert.deepEqual(await one.list(scope), [LEASE]);
  });
}
