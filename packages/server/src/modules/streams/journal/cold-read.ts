import type { DiskFile } from '../../../ports/disk.ts';
import { checkBatch } from '../core/batch-reader.ts';
import { damaged } from '../errors.ts';
import type { StreamsLimits } from '../limits.ts';
import type { Piece } from './piece.ts';
import { readWindow, segmentName } from './segment-file.ts';

/** Reads the batch at `position` and the whole ones after it that one read gives, each with its checksum verified. */
export async function readPiece(
  file: DiskFile,
  place: { segment: number; salt: number; position: number; end: number; limits: StreamsLimits },
): Promise<Piece> {
  const { segment, salt, position, end, limits } = place;
  let bytes = Math.min(limits.coldReadBytes, end - position);
  for (;;) {
    const window = await readWindow(file, position, bytes);
    let at = 0;
    for (;;) {
      const checked = checkBatch(window, at, {
        position: position + at,
        salt,
        bytesMax: limits.batchBytesMax,
      });
      if (checked.kind === 'valid') {
        at += checked.bytes;
        continue;
      }
      if (at > 0) return { segment, position, buffer: window.subarray(0, at) };
      if (checked.kind === 'short' && window.length === bytes && bytes < end - position) {
        bytes = Math.min(Math.max(checked.bytes, bytes + 1), end - position);
        break;
      }
      const reason = checked.kind === 'invalid' ? checked.reason : 'the file ends inside a batch';
      throw damaged(`${segmentName(segment)} at byte ${position}`, reason);
    }
  }
}
