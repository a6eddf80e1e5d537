import { DeltaError } from '../errors.ts';
import type { Action } from './actions.ts';

/** The bytes of a commit: one action a line. */
export function encodeCommit(actions: readonly Action[]): Uint8Array {
  return Buffer.from(actions.map((action) => `${JSON.stringify(action)}\n`).join(''));
}

/** The actions of a commit in its order; throws `corrupt-log`, naming `path` and the line, for anything malformed. */
export function decodeCommit(bytes: Uint8Array, path: string): Action[] {
  const actions: Action[] = [];
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').split('\n');
  for (const [at, line] of lines.entries()) {
    if (line.trim() === '') continue;
    actions.push(decodeLine(line, `${path}, line ${at + 1}`));
  }
  return actions;
}

function decodeLine(line: string, where: string): Action {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new DeltaError({ code: 'corrupt-log', message: `${where}: not valid JSON`, cause });
  }
  return checkedAction(value, where);
}

/** Checks the members that replay relies on; unknown actions and members pass, as the protocol demands. */
export function checkedAction(value: unknown, where: string): Action {
  const fail = (what: string): never => {
    throw new DeltaError({ code: 'corrupt-log', message: `${where}: ${what}` });
  };
  if (!isRecord(value)) return fail('an action must be a JSON object');
  const { add, remove, metaData, protocol, txn } = value;
  if (isRecord(add) && !(typeof add.path === 'string' && typeof add.size === 'number')) {
    fail('"add" needs a path and a size');
  }
  if (isRecord(remove) && typeof remove.path !== 'string') fail('"remove" needs a path');
  if (isRecord(txn) && !(typeof txn.appId === 'string' && typeof txn.version === 'number')) {
    fail('"txn" needs an appId and a version');
  }
  if (isRecord(metaData) && !['string', 'undefined'].includes(typeof (metaData.schemaString ?? undefined))) {
    fail('the schemaString of "metaData" is no text');
  }
  if (
    isRecord(protocol) &&
    !(typeof protocol.minReaderVersion === 'number' && typeof protocol.minWriterVersion === 'number')
  ) {
    fail('"protocol" needs minReaderVersion and minWriterVersion');
  }
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
