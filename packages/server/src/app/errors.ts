import { PlatformError } from '../base/errors.ts';

export type AppErrorCode = 'config' | 'data-directory' | 'in-use' | 'address';

/** Why a server can't start; its message and hint are for the person at the terminal. */
export class AppError extends PlatformError<AppErrorCode> {}
