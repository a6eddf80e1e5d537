import type { Progress } from '@sluice/delta';
import { findServer, type ServerOptions } from '../connection.ts';
import { CliError, EXIT, onInterruption, SilentExit } from '../exit.ts';
import type { OperationName, Operations, TableOperator } from '../table/operations.ts';
import { progressLine, RENDER } from '../table/render.ts';
import { targetOf } from '../table/target.ts';
import { liveOn } from '../terminal/live.ts';
import { terminalOn } from '../terminal/terminal.ts';

export interface TableOptions extends ServerOptions {
  readonly format: 'table' | 'json';
}

/** Runs one operation and shows what it gave; findings of `fsck` that are left as they are end it with 1. */
export async function tableCommand<Name extends OperationName>(
  operation: Name,
  table: string,
  { options, format, ...server }: TableOptions & { readonly options: Operations[Name]['options'] },
): Promise<void> {
  const target = targetOf(table);
  const operator =
    target.kind === 'directory'
      ? (await import('../table/local.ts')).localOperator(target.path)
      : (await import('../table/remote.ts')).remoteOperator(findServer(server), target);
  const result = await interruptible(operation, options, operator);
  const terminal = terminalOn(process.stdout);
  const lines =
    format === 'json' ? [JSON.stringify(result, undefined, 2)] : RENDER[operation](result, terminal, options);
  terminal.write(`${lines.join('\n')}\n`);
  if (operation === 'fsck' && hasProblems(result as Operations['fsck']['result'])) {
    throw new SilentExit(EXIT.failed);
  }
}

/** Progress goes to standard error, so that standard output has the result alone. */
async function interruptible<Name extends OperationName>(
  operation: Name,
  options: Operations[Name]['options'],
  operator: TableOperator,
): Promise<Operations[Name]['result']> {
  const interruption = onInterruption();
  const live = liveOn(terminalOn(process.stderr));
  const onProgress = (progress: Progress): void => {
    const line = (): string => progressLine(operation, progress);
    live.show(() => [line()], line);
  };
  try {
    return await operator.run(operation, options, { onProgress, signal: interruption.signal });
  } finally {
    live.clear();
    interruption.release();
  }
}

function hasProblems({ findings, repaired }: Operations['fsck']['result']): boolean {
  const left = repaired === undefined ? findings : findings.filter(({ kind }) => kind !== 'missing-file');
  return left.length > 0;
}

/** A version, or a time in ISO 8601, which without an offset is UTC. */
export function versionOrTime(text: string): { version: number } | { timestampMs: number } {
  if (/^\d+$/.test(text)) return { version: Number(text) };
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/i.test(text) || !text.includes(':') ? text : `${text}Z`;
  const timestampMs = Date.parse(zoned);
  if (!Number.isNaN(timestampMs)) return { timestampMs };
  throw new CliError(`"${text}" is neither a version nor a time`, {
    exitCode: EXIT.usage,
    hint: 'Give a version as in "12", or a time as in "2026-01-31T12:00Z".',
  });
}
