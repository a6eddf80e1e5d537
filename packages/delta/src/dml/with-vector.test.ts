import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wideStatistics } from './with-vector.ts';

describe('statistics of a file with a deletion vector', () => {
  it('keep every digit, and say that bounds are wide', () => {
    const stats =
      '{"numRecords":3,"minValues":{"id":9007199254740993,"d":0.10000000000000000555,"tightBounds":true},"nullCount":{"id":0}}';
    assert.equal(
      wideStatistics(stats, 3),
      '{"numRecords":3,"minValues":{"id":9007199254740993,"d":0.10000000000000000555,"tightBounds":true},"nullCount":{"id":0},"tightBounds":false}',
    );
  });

  it('end what was tight, and count the rows of the file where they did not', () => {
    assert.equal(
      wideStatistics('{"tightBounds":true,"numRecords":5}', 5),
      '{"tightBounds":false,"numRecords":5}',
    );
    for (const stats of [undefined, null, '', '{"numRec', '[1]', '7']) {
      assert.equal(wideStatistics(stats, 8), '{"numRecords":8,"tightBounds":false}');
    }
  });
});
