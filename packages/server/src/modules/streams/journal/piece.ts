/** Neighbouring whole and checked batches of one segment, in memory. */
export interface Piece {
  readonly segment: number;
  /** Byte position of its start in the segment. */
  readonly position: number;
  readonly buffer: Buffer;
}
