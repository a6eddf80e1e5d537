/** Replies that get lost and writers that die between their steps. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commitName } from '../log/log-paths.ts';
import { DeltaTable } from '../table.ts';
import { type Fault, FaultyStore, JsonEngine, readJsonRows, type StoreCall } from '../testing/index.ts';
import { countingNames, inMemory, rowsFrom } from '../testing/table-fixture.ts';
import { PUT_ATTEMPTS_MAX } from './commit.ts';

const LOG = 'db/t/_delta_log';

/** A table in memory whose store obeys `plan`, which may change. */
async function faultyTable(): Promise<{
  options: ReturnType<typeof inMemory>;
  table: DeltaTable;
  plan: (next: (call: StoreCall) => Fault | undefined) => void;
}> {
  const options = inMemory();
  await DeltaTable.create(options);
  let plan: (call: StoreCall) => Fault | undefined = () => undefined;
  const store = new FaultyStore(options.store, (call) => plan(call));
  const table = await DeltaTable.open({ ...options, store, uuid: countingNames('faulty') });
  return { options, table, plan: (next) => (plan = next) };
}

async function idsOf(options: ReturnType<typeof inMemory>): Promise<unknown[]> {
  const snapshot = await (await DeltaTable.open(options)).snapshot();
  return (await readJsonRows(options, snapshot)).map((row) => row.id);
}

describe('a commit', () => {
  it('whose reply was lost is found by its own id', async () => {
    const { options, table, plan } = await faultyTable();
    plan(({ verb }) => (verb === 'putIfAbsent' ? 'lose-reply' : undefined));
    const result = await table.append({ source: rowsFrom(1, 2) });
    assert.deepEqual([result.kind, result.version], ['committed', 1]);
    assert.deepEqual(await idsOf(options), [1, 2]);
  });

  it('that never arrived is put again', async () => {
    const { options, table, plan } = await faultyTable();
    let failures = 0;
    plan(({ verb }) => (verb === 'putIfAbsent' && (failures += 1) < PUT_ATTEMPTS_MAX ? 'refuse' : undefined));
    const result = await table.append({ source: rowsFrom(1, 2) });
    assert.deepEqual([result.kind, result.version], ['committed', 1]);
    assert.deepEqual(await idsOf(options), [1, 2]);
  });

  it('of another writer is not taken for one’s own', async () => {
    const { options } = await faultyTable();
    const other = await DeltaTable.open({ ...options, uuid: countingNames('other') });
    const engine = new (class extends JsonEngine {
      override async writeParquet(
        request: Parameters<JsonEngine['writeParquet']>[0],
      ): ReturnType<JsonEngine['writeParquet']> {
        const written = await super.writeParquet(request);
        await other.append({ source: rowsFrom(50, 1) });
        return written;
      }
    })();
    const store = new FaultyStore(options.store, ({ verb, path }) =>
      verb === 'putIfAbsent' && path.endsWith(commitName(1)) ? 'lose-reply' : undefined,
    );
    const late = await DeltaTable.open({ ...options, store, engine, uuid: countingNames('late') });
    const result = await late.append({ source: rowsFrom(1, 1) });
    assert.deepEqual([result.kind, result.version], ['committed', 2]);
    assert.deepEqual(await idsOf(options), [50, 1]);
  });

  it('of unknown outcome keeps its files, and a txn makes the retry safe either way', async () => {
    for (const isApplied of [true, false]) {
      const { options, table, plan } = await faultyTable();
      let isDown = false;
      plan(({ verb }) => {
        const wasDown = isDown;
        isDown ||= verb === 'putIfAbsent';
        if (!isDown) return undefined;
        return isApplied && !wasDown ? 'lose-reply' : 'refuse';
      });
      const append = { source: rowsFrom(1, 2), txns: [{ appId: 'a', version: 1 }] };
      await assert.rejects(table.append(append), { code: 'outcome-unknown', retry: 'backoff' });
      plan(() => undefined);
      const result = await table.append(append);
      assert.equal(result.kind, isApplied ? 'already-committed' : 'committed');
      assert.deepEqual(await idsOf(options), [1, 2]);
    }
  });

  it('survives a crash after any step: all rows or none, and a retry gives them once', async () => {
    const dry = await faultyTable();
    let steps = 0;
    dry.plan(() => {
      steps += 1;
      return undefined;
    });
    await dry.table.append({ source: rowsFrom(2, 2), txns: [{ appId: 'a', version: 1 }] });
    assert.ok(steps > 3, `an append takes ${steps} steps`);
    for (let crashAt = 0; crashAt < steps; crashAt += 1) {
      for (const fault of ['refuse', 'lose-reply'] as const) {
        const { options, table, plan } = await faultyTable();
        await table.append({ source: rowsFrom(1, 1) });
        let step = -1;
        plan(() => {
          step += 1;
          // The process is gone: nothing that it does later happens.
          return step === crashAt ? fault : step > crashAt ? 'refuse' : undefined;
        });
        const append = { source: rowsFrom(2, 2), txns: [{ appId: 'a', version: 1 }] };
        await table.append(append).catch(() => undefined);
        const after = await idsOf(options);
        assert.ok(after.length === 1 || after.length === 3, `step ${crashAt}: ${after.join()}`);
        const restarted = await DeltaTable.open({ ...options, uuid: countingNames('restarted') });
        await restarted.append(append);
        assert.deepEqual(await idsOf(options), [1, 2, 3], `step ${crashAt}, ${fault}`);
      }
    }
  });

  it('is written in whole versions: no name in the log but the ones expected', async () => {
    const { options, table } = await faultyTable();
    await table.append({ source: rowsFrom(1, 1) });
    const names: string[] = [];
    for await (const { path } of options.store.list(`${LOG}/`)) names.push(path);
    assert.deepEqual(
      names,
      [0, 1].map((version) => `${LOG}/${commitName(version)}`),
    );
  });
});
