/** Why a record is refused; closed, since each is a row of the table in SPEC.md and a label of a metric. */
export const REJECT_CODES = [
  'not-utf8',
  'bad-gzip',
  'bad-aggregate',
  'too-large',
  'malformed-json',
  'not-an-object',
  'too-deep',
  'empty-record',
  'missing-not-null',
  'type-mismatch',
  'out-of-range',
  'duplicate-key',
  'unknown-field',
  'evolution-refused',
] as const;

export type RejectCode = (typeof REJECT_CODES)[number];

/** Ends the reading of one record; never leaves the encoder. */
export class Rejection extends Error {
  override readonly name = 'Rejection';
  readonly code: RejectCode;

  constructor(code: RejectCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A value as a message shows it: JSON text, cut. */
export function shown(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}
