/** Judges what workers processed by what at-least-once delivery in order allows. */

export interface Processed {
  readonly shardId: string;
  readonly term: number;
  readonly key: string;
  readonly sequenceNumber: string;
  readonly text: string;
  readonly pid: number;
}

/**
 * What is wrong, in words: a record that was skipped or came altered, or a record that came for the first time when a
 * later one of its key had come already. Records that come again are allowed. `processed` is in the order of processing,
 * `sent` gives each text's sequence number.
 */
export function checkProcessed(sent: ReadonlyMap<string, string>, processed: readonly Processed[]): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  const latest = new Map<string, bigint>();
  for (const { key, text, sequenceNumber, shardId } of processed) {
    if (sent.get(text) !== sequenceNumber) problems.push(`${text} came with the number ${sequenceNumber}`);
    if (seen.has(text)) continue;
    seen.add(text);
    const number = BigInt(sequenceNumber);
    if (number < (latest.get(key) ?? -1n))
      problems.push(`${text} of ${shardId} came first after a later one`);
    latest.set(key, number);
  }
  for (const text of sent.keys()) if (!seen.has(text)) problems.push(`${text} was skipped`);
  return problems;
}
