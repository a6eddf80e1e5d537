/** Records of users, which the Kinesis Producer Library may have put into one record of Kinesis. */
import { deaggregate as partsOf, isAggregated } from '../aggregated-record.ts';
import type { UserRecord } from './processor.ts';

/** A record as Kinesis gives it. */
export interface KinesisRecord {
  readonly partitionKey: string;
  readonly sequenceNumber: string;
  readonly data: Uint8Array;
  readonly arrivalMs: number | undefined;
}

/**
 * The records of users in a record of Kinesis, in order; views of its data. One that has the magic of an aggregated
 * record but isn't whole is given as it is, and `onMalformed` is told why. No record is left out by its hash key.
 */
export function deaggregate(
  record: KinesisRecord,
  onMalformed: (reason: string) => void = () => {},
): UserRecord[] {
  const { data } = record;
  if (isAggregated(data, 0, data.length)) {
    const read = partsOf(data, 0, data.length);
    if (read.kind === 'parts')
      return read.parts.map(({ partitionKey, explicitHashKey, start, end }, subSequenceNumber) => ({
        ...record,
        partitionKey,
        explicitHashKey,
        subSequenceNumber,
        data: data.subarray(start, end),
      }));
    onMalformed(read.reason);
  }
  return [{ ...record, explicitHashKey: undefined, subSequenceNumber: undefined }];
}
