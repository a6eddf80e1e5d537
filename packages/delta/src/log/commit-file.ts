import { isUtf8 } from 'node:buffer';
import type { Action } from './actions.ts';
import { checkedAction } from './checked-action.ts';
import { DeltaError, messageOf } from '../errors.ts';

/** Bytes of a log file that are parsed at once, so that a large commit doesn't hold up the event loop. */
export const SLICE_BYTES = 512 * 1024;

const NEWLINE = 10;
const COMMIT_INFO = Buffer.from('{"commitInfo":');

/** The bytes of a commit: one action a line. Throws `invalid-data` for what JSON can't hold. */
export function encodeCommit(actions: readonly Action[]): Uint8Array {
  try {
    return Buffer.from(actions.map((action) => `${JSON.stringify(action)}\n`).join(''));
  } catch (cause) {
    const message = `the commit can't be written: ${messageOf(cause)}`;
    throw new DeltaError({ code: 'invalid-data', message, cause });
  }
}

/** Throws `invalid-data` for actions that no reader would take: one of them would end the whole table. */
export function assertReadableActions(actions: readonly Action[]): void {
  for (const action of actions) {
    try {
      checkedAction(action, () => 'the commit');
    } catch (cause) {
      throw new DeltaError({
        code: 'invalid-data',
        message: `nothing is committed: ${messageOf(cause)}`,
        cause,
      });
    }
  }
}

/** The actions of a commit in its order; throws `corrupt-log`, naming `path` and the line, for anything malformed. */
export function decodeCommit(bytes: Uint8Array, path: string): Action[] {
  const actions: Action[] = [];
  for (const slice of decodeSlices(bytes, path)) for (const action of slice) actions.push(action);
  return actions;
}

/**
 * The actions of a commit in its order, those of about {@link SLICE_BYTES} at once, at least one slice. With
 * `skipCommitInfo` lines that begin as commitInfo are passed over unread where their end is certain. Throws as
 * {@link decodeCommit}.
 */
export function* decodeSlices(
  bytes: Uint8Array,
  path: string,
  options: { skipCommitInfo?: boolean } = {},
): Generator<Action[], void, undefined> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Read with replacements, a damaged name would be that of an unknown action, which is passed over.
  if (!isUtf8(buffer)) throw new DeltaError({ code: 'corrupt-log', message: `${path}: not valid UTF-8` });
  let line = 0;
  let start = 0;
  do {
    const actions: Action[] = [];
    const sliceEnd = start + SLICE_BYTES;
    while (start < buffer.length && start < sliceEnd) {
      const newline = buffer.indexOf(NEWLINE, start);
      const end = newline < 0 ? buffer.length : newline;
      line += 1;
      // A line without its newline may be cut off: then the rest of the commit is missing too.
      const isSkipped = options.skipCommitInfo === true && newline >= 0 && isCommitInfo(buffer, start);
      if (!isSkipped) {
        const text = buffer.toString('utf8', start, end);
        if (text.trim() !== '') actions.push(decodeLine(text, { path, line }));
      }
      start = end + 1;
    }
    yield actions;
  } while (start < buffer.length);
}

function isCommitInfo(buffer: Buffer, start: number): boolean {
  return (
    buffer.compare(
      COMMIT_INFO,
      0,
      COMMIT_INFO.length,
      start,
      Math.min(start + COMMIT_INFO.length, buffer.length),
    ) === 0
  );
}

function decodeLine(text: string, at: { path: string; line: number }): Action {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DeltaError({
      code: 'corrupt-log',
      message: `${at.path}, line ${at.line}: not valid JSON`,
      cause,
    });
  }
  return checkedAction(value, () => `${at.path}, line ${at.line}`);
}
