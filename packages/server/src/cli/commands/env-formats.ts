/** Variables as the shells take them. */
export const ENV_FORMATS = ['sh', 'fish', 'powershell', 'json'] as const;
export type EnvFormat = (typeof ENV_FORMATS)[number];

/** Text that sets the variables when the shell evaluates it; any value is quoted so that it stays a value. */
export function formatVariables(variables: Readonly<Record<string, string>>, format: EnvFormat): string {
  if (format === 'json') return `${JSON.stringify(variables, undefined, 2)}\n`;
  return Object.entries(variables)
    .map(([name, value]) => `${LINES[format](name, value)}\n`)
    .join('');
}

const LINES: Readonly<Record<Exclude<EnvFormat, 'json'>, (name: string, value: string) => string>> = {
  sh: (name, value) => `export ${name}=${shQuoted(value)}`,
  fish: (name, value) =>
    `set -gx ${name} '${value.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`,
  powershell: (name, value) => `$env:${name} = '${value.replaceAll("'", "''")}'`,
};

function shQuoted(value: string): string {
  return /^[\w.:/@%+,-]+$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}
