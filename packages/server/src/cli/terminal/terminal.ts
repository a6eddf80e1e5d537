/** What the commands know of where they write: its size, and whether colours and block characters are understood. */
import { styleText } from 'node:util';

export type Format = Parameters<typeof styleText>[0];

export interface Terminal {
  write(text: string): void;
  readonly isTty: boolean;
  /** Infinity where nothing limits a line. */
  columns(): number;
  rows(): number;
  readonly unicode: boolean;
  /** The text in a format, or as it is where colours are not wanted. */
  paint(format: Format, text: string): string;
  readonly colour: boolean;
}

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const COLUMNS_DEFAULT = 80;
const ROWS_DEFAULT = 24;

export function terminalOn(output: Output, environment: Environment = process.env): Terminal {
  const isTty = output.isTTY === true;
  const colour = wantsColour(isTty, environment);
  return {
    write: (text) => void output.write(text),
    isTty,
    columns: () => (isTty ? output.columns || COLUMNS_DEFAULT : Number.POSITIVE_INFINITY),
    rows: () => (isTty ? output.rows || ROWS_DEFAULT : Number.POSITIVE_INFINITY),
    unicode: understandsUnicode(environment),
    colour,
    paint: (format, text) => (colour ? styleText(format, text, { validateStream: false }) : text),
  };
}

/** NO_COLOR before FORCE_COLOR before what the terminal is (no-color.org). */
function wantsColour(isTty: boolean, environment: Environment): boolean {
  if ((environment['NO_COLOR'] ?? '') !== '') return false;
  const forced = environment['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return isTty && environment['TERM'] !== 'dumb';
}

/** A locale that is not set at all is that of a container, whose terminal understands UTF-8. */
function understandsUnicode(environment: Environment): boolean {
  if (environment['TERM'] === 'linux' || environment['TERM'] === 'dumb') return false;
  const locale = [environment['LC_ALL'], environment['LC_CTYPE'], environment['LANG']].find(Boolean);
  return locale === undefined || /utf-?8/i.test(locale);
}
