/**
 * One file that is read to its end and on as it grows. It is the same file under whatever name its inode has, until
 * it is truncated or its beginning changes: then what stands in it is new.
 */
import { hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { Checkpoint, FileId, Fingerprint } from './checkpoints.ts';
import { FINGERPRINT_BYTES, READ_BYTES } from './limits.ts';
import { RecordSplitter, type SplitterOptions } from './splitter.ts';

/** `lost`: its name leads to another file now, and it wasn't open. */
export type ReadOutcome = 'read' | 'end' | 'truncated' | 'lost';

const NOTHING: Fingerprint = { head: '', headBytes: 0, tail: '' };

export class TrackedFile {
  path: string;
  readonly id: FileId;
  /** Its name leads elsewhere, or nowhere. */
  gone = false;
  /** Something may have been written to it. */
  dirty = true;
  /** When it grew last, or was found. */
  grewMs = Date.now();
  splitter: RecordSplitter;
  sizeBytes = 0;

  readonly #split: SplitterOptions;
  #handle: FileHandle | undefined;
  #delivered: number;
  #fingerprint: Fingerprint;
  /** Its first bytes as they were read. */
  #head: Buffer = Buffer.alloc(0);
  /** What was read and is not delivered, and some bytes before: a truncated file can't be asked any more. */
  #window: { readonly start: number; readonly bytes: Buffer }[] = [];

  constructor(
    file: FileId & { readonly path: string },
    from: { readonly offset: number; readonly fingerprint?: Fingerprint },
    split: SplitterOptions,
  ) {
    this.path = file.path;
    this.id = { dev: file.dev, ino: file.ino };
    this.#split = split;
    this.#delivered = from.offset;
    this.#fingerprint = from.fingerprint ?? NOTHING;
    this.splitter = new RecordSplitter(from.offset, split);
  }

  get delivered(): number {
    return this.#delivered;
  }

  get known(): Known {
    return { ...this.#fingerprint, offset: this.#delivered, beginning: this.#head };
  }

  /** Reads a piece into the splitter. What it read of a file that was truncated meanwhile is dropped. */
  async read(): Promise<ReadOutcome> {
    const handle = await this.#open();
    if (handle === undefined) return 'lost';
    const { position } = this.splitter;
    const { size } = await handle.stat();
    this.sizeBytes = size;
    if (size < position) return 'truncated';
    const bytes = await readAt(handle, position, Math.min(READ_BYTES, size - position));
    if (!(await this.#beginsAsBefore(handle))) return 'truncated';
    if (bytes.length === 0) return 'end';
    if (this.#head.length < FINGERPRINT_BYTES)
      this.#head = await readAt(handle, 0, Math.min(FINGERPRINT_BYTES, position + bytes.length));
    if (this.#window.length === 0 && position > 0) {
      const start = Math.max(0, position - FINGERPRINT_BYTES);
      this.#window.push({ start, bytes: await readAt(handle, start, position - start) });
    }
    this.#window.push({ start: position, bytes });
    this.splitter.push(bytes);
    this.grewMs = Date.now();
    return 'read';
  }

  /** All up to `offset` is delivered; gives what to remember. */
  async deliver(offset: number, flow: string): Promise<Checkpoint> {
    this.#delivered = offset;
    const headBytes = Math.min(FINGERPRINT_BYTES, offset);
    if (this.#window.length > 0) {
      const head = digest(this.#head.subarray(0, headBytes));
      this.#fingerprint = { head, headBytes, tail: digest(this.#before(offset, headBytes)) };
      this.#window = this.#window.filter(
        ({ start, bytes }) => start + bytes.length > offset - FINGERPRINT_BYTES,
      );
    } else {
      const handle = await this.#open();
      if (handle !== undefined) this.#fingerprint = await fingerprintOf(handle, offset);
    }
    const { path, id } = this;
    return { flow, path, ...id, offset, ...this.#fingerprint, seenMs: Date.now() };
  }

  #before(offset: number, length: number): Buffer {
    const from = offset - length;
    const parts = this.#window.map(({ start, bytes }) =>
      bytes.subarray(Math.max(0, from - start), Math.max(0, offset - start)),
    );
    return Buffer.concat(parts);
  }

  /** Begins anew: what it held before is another file's, or nobody's. */
  restart(): void {
    this.#delivered = 0;
    this.#fingerprint = NOTHING;
    this.#head = Buffer.alloc(0);
    this.#window = [];
    this.splitter = new RecordSplitter(0, this.#split);
    this.dirty = true;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle | undefined> {
    if (this.#handle !== undefined) return this.#handle;
    const handle = await openIfThere(this.path);
    if (handle === undefined) return undefined;
    const { dev, ino } = await handle.stat();
    if (dev !== this.id.dev || ino !== this.id.ino) {
      await handle.close();
      return undefined;
    }
    this.#handle = handle;
    return handle;
  }

  async #beginsAsBefore(handle: FileHandle): Promise<boolean> {
    if (this.#head.length > 0) return this.#head.equals(await readAt(handle, 0, this.#head.length));
    const { head, headBytes } = this.#fingerprint;
    if (headBytes === 0) return true;
    const bytes = await readAt(handle, 0, headBytes);
    if (digest(bytes) !== head) return false;
    this.#head = bytes;
    return true;
  }
}

/** By which the file is known again once all up to `offset` is delivered. */
async function fingerprintOf(handle: FileHandle, offset: number): Promise<Fingerprint> {
  const headBytes = Math.min(FINGERPRINT_BYTES, offset);
  const head = digest(await readAt(handle, 0, headBytes));
  return { head, headBytes, tail: digest(await readAt(handle, offset - headBytes, headBytes)) };
}

/** A file that was known: where it stood, and by what. */
export type Known = Fingerprint & {
  readonly offset: number;
  /** Its first bytes, as far as they are remembered. */
  readonly beginning: Buffer;
};

/** Whether a file holds all that was delivered of another one, or (`maybe`) may once it is written to its end. */
export async function isCopyOf(path: string, known: Known): Promise<'yes' | 'maybe' | 'no'> {
  const handle = await openIfThere(path);
  if (handle === undefined) return 'no';
  try {
    const { size } = await handle.stat();
    const head = await readAt(handle, 0, known.headBytes);
    const length = Math.min(head.length, known.beginning.length);
    if (!head.subarray(0, length).equals(known.beginning.subarray(0, length))) return 'no';
    if (head.length < known.headBytes) return 'maybe';
    if (digest(head) !== known.head) return 'no';
    if (size < known.offset) return 'maybe';
    return (await fingerprintOf(handle, known.offset)).tail === known.tail ? 'yes' : 'no';
  } finally {
    await handle.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** At most `length` bytes; fewer at the end of the file. */
async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

function digest(bytes: Buffer): string {
  return hash('sha256', bytes, 'hex');
}
