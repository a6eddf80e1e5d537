import { QueryError } from '../errors.ts';

/** Where a list goes on: a number that belongs to `scope`, so that a token of another list is noticed. */
export function encodeToken(scope: string, position: number): string {
  return Buffer.from(`${scope}:${position}`).toString('base64url');
}

/** Rejects with `invalid` for a token that this list can't have given. */
export function decodeToken(scope: string, token: string): number {
  const text = Buffer.from(token, 'base64url').toString();
  const position = text.startsWith(`${scope}:`) ? text.slice(scope.length + 1) : '';
  if (!/^\d{1,15}$/.test(position) || encodeToken(scope, Number(position)) !== token) {
    throw new QueryError({
      code: 'invalid',
      message: 'the page token is not one that this list gave',
      hint: 'Start again without a token.',
    });
  }
  return Number(position);
}
