/** Decimal numbers as text, without a double in between. */

/** `value = ±digits × 10^exponent`; `digits` without leading zeros, empty for zero. */
export interface ExactNumber {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,5}))?$/;

/** Undefined for text that is no decimal number; a sign, leading zeros and a bare point (`.5`, `5.`) are fine. */
export function exactNumber(text: string): ExactNumber | undefined {
  const match = NUMBER.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  if (whole.length + fraction.length === 0) return undefined;
  const digits = (whole + fraction).replace(/^0+/, '');
  const trimmed = digits.replace(/0+$/, '');
  return {
    negative: sign === '-' && trimmed !== '',
    digits: trimmed,
    exponent: trimmed === '' ? 0 : Number(exponent) - fraction.length + digits.length - trimmed.length,
  };
}

/** Digits before the decimal point. */
export function wholeDigits(number: ExactNumber): number {
  return Math.max(0, number.digits.length + number.exponent);
}

/** `number × 10^scale` as an integer's digits without sign, or undefined when it isn't one. */
export function scaledDigits(number: ExactNumber, scale: number): string | undefined {
  const zeros = number.exponent + scale;
  if (number.digits === '') return '0';
  return zeros < 0 ? undefined : number.digits + '0'.repeat(zeros);
}

/** An integer's digits with the decimal point `scale` places from the right. */
export function pointed(digits: string, scale: number): string {
  if (scale === 0) return digits;
  const padded = digits.padStart(scale + 1, '0');
  return `${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}
