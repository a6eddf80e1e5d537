import { PlatformError } from '../../base/errors.ts';
import type { DeliveryErrorCode } from './api.ts';

export function deliveryError(
  code: DeliveryErrorCode,
  message: string,
  more: {
    readonly hint?: string;
    readonly retry?: 'never' | 'same' | 'backoff';
    readonly cause?: unknown;
  } = {},
): PlatformError<DeliveryErrorCode> {
  return new PlatformError({ code, message, ...more });
}

export function notFound(name: string): PlatformError<DeliveryErrorCode> {
  return deliveryError('delivery-not-found', `there is no delivery "${name}"`);
}

/** The code of an operational failure of whatever module; undefined for anything else that was thrown. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
