/** What a shard's processor may make a checkpoint of. */
import { comparePositions, type RecordPosition } from './core/lease.ts';
import { ConsumerError } from './errors.ts';
import type { HeldLease } from './held-lease.ts';
import type { UserRecord } from './processor.ts';

export class Checkpoints {
  readonly #held: HeldLease;
  /** The last record that was delivered. */
  #delivered: RecordPosition | undefined;
  /** How many records of users the last delivered record of Kinesis has. */
  #lastParts = 0;

  constructor(held: HeldLease) {
    this.#held = held;
  }

  /** Before the processor gets them. */
  delivering(records: readonly UserRecord[]): void {
    const last = records.at(-1)!;
    this.#delivered = { sequenceNumber: last.sequenceNumber };
    this.#lastParts = (last.subSequenceNumber ?? 0) + 1;
  }

  /** See `ShardContext.checkpoint`. */
  readonly checkpoint = async (record?: RecordPosition): Promise<void> => {
    const delivered = this.#delivered;
    if (delivered === undefined) {
      if (record === undefined) return;
      throw this.#invalid(record, 'no record was delivered yet');
    }
    const position = this.#whole(record ?? delivered);
    if (comparePositions(position, delivered) > 0) throw this.#invalid(position, 'it was not delivered yet');
    const { sequenceNumber, subSequenceNumber } = position;
    await this.#held.checkpoint({
      kind: 'after',
      sequenceNumber,
      ...(subSequenceNumber !== undefined && { subSequenceNumber }),
    });
  };

  /** The last record of users in a record of Kinesis stands for all of it, so that it isn't read again. */
  #whole({ sequenceNumber, subSequenceNumber }: RecordPosition): RecordPosition {
    const isLast =
      sequenceNumber === this.#delivered?.sequenceNumber && subSequenceNumber === this.#lastParts - 1;
    return isLast ? { sequenceNumber } : { sequenceNumber, subSequenceNumber };
  }

  #invalid({ sequenceNumber }: RecordPosition, reason: string): ConsumerError {
    const { shardId } = this.#held.lease;
    return new ConsumerError(
      'invalid-checkpoint',
      `No checkpoint of ${shardId} at ${sequenceNumber}: ${reason}.`,
    );
  }
}
