/** The newest bytes of the journal in memory, first in, first out: readers at the tail cut their runs out of them. */
import type { Piece } from './piece.ts';

export class Tail {
  readonly #bytesMax: number;
  #pieces: Piece[] = [];
  /** Pieces before it were dropped. */
  #head = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Pieces must come in the order of segments and positions. */
  push(piece: Piece): void {
    this.#pieces.push(piece);
    this.#bytes += piece.buffer.length;
    while (this.#bytes > this.#bytesMax) {
      this.#bytes -= this.#pieces[this.#head]!.buffer.length;
      this.#pieces[this.#head++] = NOTHING;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#pieces.length) {
      this.#pieces = this.#pieces.slice(this.#head);
      this.#head = 0;
    }
  }

  /** The piece that has the byte at `position` of the segment. */
  find(segment: number, position: number): Piece | undefined {
    let low = this.#head;
    let high = this.#pieces.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const piece = this.#pieces[middle]!;
      if (
        piece.segment < segment ||
        (piece.segment === segment && piece.position + piece.buffer.length <= position)
      )
        low = middle + 1;
      else if (piece.segment > segment || piece.position > position) high = middle - 1;
      else return piece;
    }
    return undefined;
  }
}

const NOTHING: Piece = { segment: -1, position: 0, buffer: Buffer.alloc(0) };
