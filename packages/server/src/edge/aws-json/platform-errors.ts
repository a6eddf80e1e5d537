import { PlatformError } from '../../base/errors.ts';
import { AwsError } from './service.ts';

export interface ErrorShape {
  readonly type: string;
  /** 400 by default. */
  readonly status?: number;
  readonly members?: Readonly<Record<string, unknown>>;
}

/**
 * Maps the errors of modules by one table that names every code. The message is the module's, with its hint: both are
 * written for users.
 */
export function errorTable<Code extends string>(
  table: Readonly<Record<Code, ErrorShape>>,
): (error: unknown) => AwsError | undefined {
  return (error) => {
    if (!(error instanceof PlatformError) || !Object.hasOwn(table, error.code)) return undefined;
    const { type, status, members } = table[error.code as Code];
    const text = error.hint === undefined ? error.message : `${error.message}. ${error.hint}`;
    return new AwsError(type, text, status, members);
  };
}
