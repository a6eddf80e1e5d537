/**
 * Constraints of request members in the terms of the AWS models. Numbers and patterns are facts of the services'
 * public API models (Smithy, 2025).
 */
export type Shape =
  | { readonly kind: 'structure'; readonly members: Readonly<Record<string, Member>> }
  | {
      readonly kind: 'string';
      readonly lengthMin?: number;
      readonly lengthMax?: number;
      readonly pattern?: string;
      readonly values?: readonly string[];
    }
  | { readonly kind: 'integer' | 'long' | 'double'; readonly min?: number; readonly max?: number }
  | { readonly kind: 'boolean' | 'timestamp' | 'document' }
  /** Base64 in JSON, a `Uint8Array` from CBOR; lengths count bytes. */
  | { readonly kind: 'blob'; readonly lengthMin?: number; readonly lengthMax?: number }
  | { readonly kind: 'list'; readonly of: Shape; readonly lengthMin?: number; readonly lengthMax?: number }
  | {
      readonly kind: 'map';
      readonly key: Shape;
      readonly value: Shape;
      readonly lengthMin?: number;
      readonly lengthMax?: number;
    };

export interface Member {
  readonly shape: Shape;
  readonly required: boolean;
}

type Bounds = { readonly lengthMin?: number; readonly lengthMax?: number };

export const structure = (members: Readonly<Record<string, Shape | Member>>): Shape => ({
  kind: 'structure',
  members: Object.fromEntries(
    Object.entries(members).map(([name, member]) => [
      name,
      'shape' in member ? member : { shape: member, required: false },
    ]),
  ),
});
export const required = (shape: Shape): Member => ({ shape, required: true });
export const string = (bounds: Bounds & { readonly pattern?: string } = {}): Shape => ({
  kind: 'string',
  ...bounds,
});
export const oneOf = (...values: readonly string[]): Shape => ({ kind: 'string', values });
export const integer = (range: { readonly min?: number; readonly max?: number } = {}): Shape => ({
  kind: 'integer',
  ...range,
});
export const boolean = (): Shape => ({ kind: 'boolean' });
/** Seconds since the epoch, with a fraction. */
export const timestamp = (): Shape => ({ kind: 'timestamp' });
export const blob = (bounds: Bounds = {}): Shape => ({ kind: 'blob', ...bounds });
export const list = (of: Shape, bounds: Bounds = {}): Shape => ({ kind: 'list', of, ...bounds });
export const map = (key: Shape, value: Shape, bounds: Bounds = {}): Shape => ({
  kind: 'map',
  key,
  value,
  ...bounds,
});
