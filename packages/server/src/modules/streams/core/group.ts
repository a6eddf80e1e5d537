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

/** Whether an append of `bytes` is refused for now. One alone is always taken. */
export function isOverloaded(unsyncedBytes: number, bytes: number, unsyncedBytesMax: number): boolean {
  return unsyncedBytes > 0 && unsyncedBytes + bytes > unsyncedBytesMax;
}
