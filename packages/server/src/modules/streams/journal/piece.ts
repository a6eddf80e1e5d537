/** Neighbouring whole and checked batches of one segment, in memory. */
export interface Piece {
  readonly segment: number;
  /** Byte position of its start in the segment. */
  readonly position: number;
  readonly buffer: Buffer;
}

/** The group's bytes as few buffers: batches that lie one after another in memory become one. */
export function joined(
  group: readonly { readonly buffer: Buffer }[],
  segment: number,
  start: number,
): Piece[] {
  const pieces: Piece[] = [];
  let position = start;
  for (const { buffer } of group) {
    const last = pieces.at(-1);
    if (
      last &&
      last.buffer.buffer === buffer.buffer &&
      last.buffer.byteOffset + last.buffer.length === buffer.byteOffset
    ) {
      const whole = Buffer.from(buffer.buffer, last.buffer.byteOffset, last.buffer.length + buffer.length);
      pieces[pieces.length - 1] = { ...last, buffer: whole };
    } else pieces.push({ segment, position, buffer });
    position += buffer.length;
  }
  return pieces;
}
