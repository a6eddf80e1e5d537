/** What operations on a table gave, as lines for people. */
import type {
  CommitSummary,
  DiffSummary,
  FilesSummary,
  Finding,
  FsckResult,
  Progress,
  RestoreResult,
  RewriteResult,
  TableDetail,
  VacuumResult,
} from '@sluice/delta';
import { renderTable, type TableInput } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { bytes, count, counted } from '../terminal/units.ts';
import { printable } from '../terminal/width.ts';
import type { OperationName, Operations } from './operations.ts';

/** Paths and findings that are listed one by one. */
const LISTED_MAX = 20;

type Renderers = {
  readonly [Name in OperationName]: (
    result: Operations[Name]['result'],
    terminal: Terminal,
    options: Operations[Name]['options'],
  ) => string[];
};

export const RENDER: Renderers = {
  history,
  detail,
  optimize,
  vacuum: (result, terminal, { dryRun }) => vacuum(result, terminal, dryRun === true),
  restore,
  diff,
  fsck,
};

/** One line that tells how far an operation is. */
export function progressLine(operation: string, { phase, done, total, bytes: size }: Progress): string {
  const share = total > 0 ? `${count(done)} of ${count(total)}` : count(done);
  return `${operation}: ${phase} ${share}${size > 0 ? `, ${bytes(size)}` : ''}`;
}

function history(commits: readonly CommitSummary[], terminal: Terminal): string[] {
  return tableLines(
    {
      columns: [
        { title: 'version', align: 'right', whole: true },
        { title: 'committed (UTC)', whole: true },
        { title: 'operation' },
        { title: 'parameters' },
        { title: 'metrics' },
        { title: 'by' },
      ],
      rows: commits.map((commit) => [
        String(commit.version),
        timeText(commit.timestampMs),
        printable(commit.operation ?? '?'),
        printable(pairs(telling(commit.operationParameters))),
        printable(pairs(telling(commit.operationMetrics))),
        printable([commit.engineInfo, commit.userMetadata].filter(Boolean).join(' · ')),
      ]),
    },
    terminal,
  );
}

function detail(found: TableDetail, terminal: Terminal): string[] {
  const { statistics } = found;
  const rows: (readonly [string, string | undefined])[] = [
    ['location', found.location],
    ['id', found.id],
    ['name', found.name],
    ['description', found.description],
    ['version', String(found.version)],
    ['created', found.createdMs === undefined ? undefined : `${timeText(found.createdMs)} UTC`],
    ['changed', `${timeText(found.modifiedMs)} UTC`],
    ['partitioned by', found.partitionColumns.join(', ') || undefined],
    ['clustered by', found.clusteringColumns.join(', ') || undefined],
    ['rows', statistics.rows === undefined ? 'unknown' : count(statistics.rows)],
    ['files', filesText(found)],
    ['size', bytes(found.sizeBytes)],
    ['small files', smallFilesText(found)],
    ['deleted rows', deletedText(found)],
    ['without statistics', positive(statistics.filesWithoutStatistics, 'file')],
    ['partitions', found.partitionColumns.length === 0 ? undefined : count(statistics.partitions)],
    ['protocol', `reader ${found.minReaderVersion}, writer ${found.minWriterVersion}`],
    ['features', found.tableFeatures.join(', ') || undefined],
    ['properties', pairs(found.properties) || undefined],
  ];
  const shown = rows.filter((row): row is [string, string] => row[1] !== undefined && row[1] !== '');
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${terminal.paint('bold', name.padEnd(width))}  ${printable(value)}`);
}

function filesText({ fileCount, statistics }: TableDetail): string {
  const { smallestFileBytes, medianFileBytes, largestFileBytes } = statistics;
  if (smallestFileBytes === undefined || medianFileBytes === undefined || largestFileBytes === undefined) {
    return '0';
  }
  const sizes = [smallestFileBytes, medianFileBytes, largestFileBytes].map(bytes);
  return `${count(fileCount)}, of ${sizes[0]} to ${sizes[2]}, half of them up to ${sizes[1]}`;
}

function smallFilesText({ fileCount, statistics }: TableDetail): string | undefined {
  if (fileCount === 0 || statistics.smallFiles === 0) return undefined;
  const share = Math.round((statistics.smallFiles / fileCount) * 100);
  return `${count(statistics.smallFiles)} (${share} %), below half of ${bytes(statistics.targetFileBytes)}`;
}

function deletedText({ statistics }: TableDetail): string | undefined {
  if (statistics.filesWithDeletionVector === 0) return undefined;
  const files = counted(statistics.filesWithDeletionVector, 'file');
  return `${count(statistics.deletedRows)}, still in ${files}`;
}

function optimize(result: RewriteResult): string[] {
  const { versions, filesRemoved, filesAdded, bytesRemoved, bytesAdded, rows, binsLost } = result;
  const lost =
    binsLost === 0
      ? []
      : [`others changed ${counted(binsLost, 'group')} of files meanwhile: run it again for those`];
  if (versions.length === 0) return ['nothing to do', ...lost];
  const vectors = result.deletionVectorsRemoved;
  return [
    `${counted(filesRemoved, 'file')} (${bytes(bytesRemoved)}) became ${counted(filesAdded, 'file')} (${bytes(bytesAdded)}): ${counted(rows, 'row')}, ${versionsText(versions)}`,
    ...(vectors > 0 ? [`${counted(vectors, 'deletion vector')} dropped`] : []),
    ...lost,
  ];
}

function vacuum(result: VacuumResult, terminal: Terminal, isDryRun: boolean): string[] {
  const { files, bytes: size, directories, cutoffMs, paths } = result;
  const what = `${counted(files, 'file')} (${bytes(size)})`;
  const since = `that only versions replaced before ${timeText(cutoffMs)} UTC need`;
  return [
    files === 0
      ? `no file is there ${since}`
      : isDryRun
        ? `would delete ${what} ${since}`
        : `deleted ${what} ${since}`,
    ...(directories > 0 ? [`and ${counted(directories, 'empty directory').replace(/ys$/, 'ies')}`] : []),
    ...(isDryRun ? listed(paths, files, terminal) : []),
  ];
}

function restore(result: RestoreResult): string[] {
  if (result.kind === 'unchanged') {
    return [`the table is as it was at version ${result.restoredVersion} already`];
  }
  const back = `${counted(result.filesRestored, 'file')} (${bytes(result.bytesRestored)}) back`;
  const out = `${counted(result.filesRemoved, 'file')} (${bytes(result.bytesRemoved)}) out`;
  return [
    `version ${result.version} is as version ${result.restoredVersion} was: ${back}, ${out}, ${counted(result.filesAfter, 'file')} (${bytes(result.bytesAfter)}) now`,
  ];
}

function diff(result: DiffSummary, terminal: Terminal): string[] {
  const { from, to, rows, bytes: size, columns, properties } = result;
  const signed = (value: number, text: string): string => (value < 0 ? `-${text}` : `+${text}`);
  const rowText = rows === undefined ? 'rows unknown' : `${signed(rows, count(Math.abs(rows)))} rows`;
  const section = (sign: string, files: FilesSummary): string[] =>
    files.files === 0
      ? []
      : [
          `${sign} ${counted(files.files, 'file')} (${bytes(files.bytes)})`,
          ...listed(files.paths, files.files, terminal),
        ];
  return [
    terminal.paint(
      'bold',
      `from version ${from} to ${to}: ${rowText}, ${signed(size, bytes(Math.abs(size)))}`,
    ),
    ...section('+', result.filesAdded),
    ...section('-', result.filesRemoved),
    ...section('other rows deleted in', result.filesMasked),
    ...columns.map((column) => columnText(column)),
    ...properties.map(
      ({ name, before, after }) =>
        `property ${printable(name)}: ${printable(before ?? 'not set')} → ${printable(after ?? 'not set')}`,
    ),
    ...(result.partitionColumnsChanged ? ['the partition columns changed'] : []),
    ...(result.protocolChanged ? ['the protocol changed'] : []),
  ];
}

function columnText(change: DiffSummary['columns'][number]): string {
  const path = printable(change.path);
  if (change.kind === 'changed') {
    const [before, after] = [change.before, change.after].map(
      ({ type, nullable }) => `${typeText(type)}${nullable ? '' : ' NOT NULL'}`,
    );
    return `column ${path}: ${before} → ${after}`;
  }
  return `${change.kind === 'added' ? '+' : '-'} column ${path} ${typeText(change.type)}`;
}

function typeText(type: unknown): string {
  return printable(typeof type === 'string' ? type : JSON.stringify(type));
}

function fsck(result: FsckResult, terminal: Terminal): string[] {
  const { version, filesChecked, findings, repaired } = result;
  const checked = `version ${version}: ${counted(filesChecked, 'file')} checked`;
  if (findings.length === 0) return [`${checked}, ${terminal.paint('green', 'nothing found')}`];
  const missing = findings.filter(({ kind }) => kind === 'missing-file').length;
  return [
    `${checked}, ${terminal.paint('red', `${counted(findings.length, 'problem')} found`)}`,
    ...findings.slice(0, LISTED_MAX).map((finding) => `  ${findingText(finding)}`),
    ...(findings.length > LISTED_MAX ? [`  … ${count(findings.length - LISTED_MAX)} more`] : []),
    ...(repaired === undefined
      ? missing > 0
        ? ['with --repair, files that are missing are taken out of the table, and with them their rows']
        : []
      : [`version ${repaired.version} is without ${counted(repaired.files, 'missing file')}`]),
  ];
}

function findingText(finding: Finding): string {
  const where = 'path' in finding ? finding.path : `version ${finding.version}`;
  const facts = Object.entries(finding)
    .filter(([name]) => !['kind', 'path', 'version'].includes(name))
    .map(([name, value]) => `${name} ${String(value)}`);
  return printable([finding.kind.replaceAll('-', ' '), where, ...facts].join(', '));
}

function listed(paths: readonly string[], total: number, { paint }: Terminal): string[] {
  const shown = paths.slice(0, LISTED_MAX).map((path) => paint('dim', `  ${printable(path)}`));
  return total > shown.length ? [...shown, paint('dim', `  … ${count(total - shown.length)} more`)] : shown;
}

function tableLines(input: TableInput, terminal: Terminal): string[] {
  if (input.rows.length === 0) return [terminal.paint('dim', 'none')];
  return renderTable(input, terminal) ?? input.rows.map((row) => row.join('  '));
}

function versionsText(versions: readonly number[]): string {
  const [first, last] = [versions[0], versions.at(-1)];
  return first === last ? `version ${first}` : `versions ${first} to ${last}`;
}

function pairs(record: Readonly<Record<string, unknown>>): string {
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  return Object.entries(record)
    .map(([name, value]) => `${name}=${text(value)}`)
    .join(' ');
}

/** Without zeros and empty lists, which other engines record by the dozen; `--format json` has them all. */
function telling(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isTelling = (value: unknown): boolean => !/^(0|\[\]|\{\}|)$/.test(String(value));
  return Object.fromEntries(Object.entries(record).filter(([, value]) => isTelling(value)));
}

function positive(value: number, noun: string): string | undefined {
  return value === 0 ? undefined : counted(value, noun);
}

function timeText(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, '');
}
