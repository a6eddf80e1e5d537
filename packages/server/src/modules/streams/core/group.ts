/** Decisions of the group commit. */
export interface GroupBounds {
  readonly groupBytesMax: number;
  readonly segmentBytesMax: number;
}

/** How many of the waiting batches share the next write and sync: as many as fit; the first always goes. */
export function groupSize(
  waiting: readonly { readonly buffer: { readonly length: number } }[],
  bounds: GroupBounds,
): number {
  let bytes = 0;
  for (let count = 0; count < waiting.length; count++) {
    bytes += waiting[count]!.buffer.length;
    if (count > 0 && bytes > bounds.groupBytesMax) return count;
  }
  return waiting.length;
}

/** Whether a group goes into a new segment: one that holds batches is not grown beyond the bound. */
export function mustRoll(
  segment: { readonly end: number; readonly headerBytes: number },
  group: { readonly bytes: number },
  bounds: GroupBounds,
): boolean {
  return segment.end > segment.headerBytes && segment.end + group.bytes > bounds.segmentBytesMax;
}

/** Groups up to this size are followed by room; larger ones would only pay for writing it. */
const SMALL_GROUP_BYTES_MAX = 64 * 1024;

/**
 * Zeros to write behind a group of `bytes`, so that the groups after it overwrite blocks that the file has already:
 * their syncs need not change the file's size, which makes them two to four times as fast on ext4.
 */
export function roomAfter(
  segment: { readonly end: number; readonly room: number },
  bytes: number,
  bounds: { readonly roomBytes: number; readonly segmentBytesMax: number },
): number {
  const end = segment.end + bytes;
  if (bytes > SMALL_GROUP_BYTES_MAX || end <= segment.room) return 0;
  return Math.max(0, Math.min(bounds.roomBytes, bounds.segmentBytesMax - end));
}

/** Whether an append of `bytes` is refused for now. One alone is always taken. */
export function isOverloaded(unsyncedBytes: number, bytes: number, unsyncedBytesMax: number): boolean {
  return unsyncedBytes > 0 && unsyncedBytes + bytes > unsyncedBytesMax;
}
