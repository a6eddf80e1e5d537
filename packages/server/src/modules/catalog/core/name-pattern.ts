/**
 * Whether a name matches a pattern as `SHOW TABLES 'a*|b*'` and Glue's `Expression` are used: `*` or `.*` for any
 * characters, `|` between alternatives, without regard to case. Not a regular expression, so that no pattern can take
 * long.
 */
export function namePattern(pattern: string): (name: string) => boolean {
  const alternatives = pattern
    .toLowerCase()
    .split('|')
    .map((alternative) => alternative.replace(/^\^|\$$/g, '').split(/\.?\*+/));
  return (name) => alternatives.some((parts) => matches(name.toLowerCase(), parts));
}

function matches(name: string, parts: readonly string[]): boolean {
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
