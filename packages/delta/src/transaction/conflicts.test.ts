/** Delta's rules for what may be committed after a version that a transaction did not see. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Action, AddFile } from '../log/actions.ts';
import { type Conflict, type ConflictSubject, conflictWith } from './conflicts.ts';

const file = (path: string, options: { dataChange?: boolean; p?: string } = {}): AddFile => ({
  path,
  partitionValues: { p: options.p ?? '1' },
  size: 1,
  modificationTime: 0,
  dataChange: options.dataChange ?? true,
});
const add = (path: string, options: Parameters<typeof file>[1] = {}): Action => ({
  add: file(path, options),
});
const remove = (path: string, options: { dataChange?: boolean; p?: string } = {}): Action => ({
  remove: { path, dataChange: options.dataChange ?? true, partitionValues: { p: options.p ?? '1' } },
});
const info = (isBlindAppend: boolean): Action => ({ commitInfo: { isBlindAppend } });

function subject(options: Partial<ConflictSubject>): ConflictSubject {
  return {
    reads: { kind: 'nothing' },
    actions: [],
    appIds: new Set(),
    isolation: 'Serializable',
    ...options,
  };
}

const BLIND_APPEND = subject({ actions: [add('new')] });
const readsPartition1 = { kind: 'rows', mayMatch: (add: AddFile) => add.partitionValues.p === '1' } as const;
const DELETE = subject({ reads: readsPartition1, actions: [remove('a'), add('a2')] });
const DELETE_WRITE_SERIALIZABLE = subject({ ...DELETE, isolation: 'WriteSerializable' });
const COMPACTION = subject({
  reads: { kind: 'files', keys: new Set(['a', 'b']) },
  actions: [
    remove('a', { dataChange: false }),
    remove('b', { dataChange: false }),
    add('ab', { dataChange: false }),
  ],
});

const CASES: readonly (readonly [
  name: string,
  winner: readonly Action[],
  loser: ConflictSubject,
  Conflict?,
])[] = [
  ['a blind append after rows were added', [info(true), add('x')], BLIND_APPEND],
  ['a blind append after files were removed', [info(false), remove('a')], BLIND_APPEND],
  [
    'anything after a protocol change',
    [{ protocol: { minReaderVersion: 1, minWriterVersion: 2 } }],
    BLIND_APPEND,
    'protocol',
  ],
  [
    'anything after a metadata change',
    [
      {
        metaData: {
          id: '',
          format: { provider: '' },
          schemaString: '',
          partitionColumns: [],
          configuration: {},
        },
      },
    ],
    BLIND_APPEND,
    'metadata',
  ],
  [
    'the same application',
    [{ txn: { appId: 'app', version: 1 } }],
    subject({ ...BLIND_APPEND, appIds: new Set(['app']) }),
    'txn',
  ],
  [
    'another application',
    [{ txn: { appId: 'other', version: 1 } }],
    subject({ ...BLIND_APPEND, appIds: new Set(['app']) }),
  ],
  [
    'the same domain',
    [{ domainMetadata: { domain: 'd', configuration: '', removed: false } }],
    subject({ actions: [{ domainMetadata: { domain: 'd', configuration: 'x', removed: false } }] }),
    'domain',
  ],
  ['a delete after a blind append to what it read', [info(true), add('x')], DELETE, 'concurrent-append'],
  ['the same when write-serializable', [info(true), add('x')], DELETE_WRITE_SERIALIZABLE],
  [
    'a write-serializable delete after rows that were not appended blindly',
    [info(false), add('x')],
    DELETE_WRITE_SERIALIZABLE,
    'concurrent-append',
  ],
  ['a delete after an append elsewhere', [info(true), add('x', { p: '2' })], DELETE],
  [
    'a delete after a compaction of what it read',
    [remove('a', { dataChange: false }), add('ab', { dataChange: false })],
    DELETE,
    'concurrent-delete-read',
  ],
  [
    'a delete after a compaction elsewhere',
    [remove('z', { dataChange: false, p: '2' }), add('zz', { dataChange: false, p: '2' })],
    DELETE,
  ],
  [
    'two that remove a file which neither read',
    [remove('a')],
    subject({ actions: [remove('a')] }),
    'concurrent-delete-delete',
  ],
  ['a compaction after an append', [info(true), add('x')], COMPACTION],
  ['a compaction after a delete elsewhere', [remove('z'), add('z2')], COMPACTION],
  ['a compaction after its file went away', [remove('b'), add('b2')], COMPACTION, 'concurrent-delete-read'],
];

describe('a transaction that lost a version', () => {
  for (const [name, winner, loser, expected] of CASES) {
    it(`${name}: ${expected ?? 'goes on'}`, () => {
      assert.equal(conflictWith(winner, loser), expected);
    });
  }
});
