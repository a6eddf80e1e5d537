import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sequenceNumberOf, type ShardState } from '../../modules/streams/index.ts';
import { putRecordsAnswer } from './hot-path.ts';

const shard = (uid: number, index: number): ShardState => ({
  uid,
  shardId: `shardId-${String(index).padStart(12, '0')}`,
  hashKeyStart: 0n,
  hashKeyEnd: 0n,
  openedMs: 0,
  trimOffset: 0,
  nextOffset: 0,
});

test('the answer of PutRecords names the shard and sequence number of each record', () => {
  const [a, b] = [shard(7, 0), shard(123_456, 1)];
  const offsets = [0, 9, 10, 999_999, 1_000_000, 4_294_967_296, Number.MAX_SAFE_INTEGER];
  for (let count = 1; count <= offsets.length; count++) {
    const shards = offsets.slice(0, count).map((_, index) => (index % 2 === 0 ? a : b));
    const answer = putRecordsAnswer({
      shards,
      offsets: Float64Array.from(offsets.slice(0, count)),
    });
    assert.deepEqual(JSON.parse(answer.toString()), {
      FailedRecordCount: 0,
      Records: shards.map((each, index) => ({
        SequenceNumber: sequenceNumberOf(each, offsets[index]!),
        ShardId: each.shardId,
      })),
    });
  }
});
