/** The interactive shell: lines become statements, ^C takes back or cancels, ^D leaves. */
import { createInterface, type Interface } from 'node:readline';
import { glueOf } from '../clients.ts';
import { EXIT, SilentExit } from '../exit.ts';
import { reportFailure } from '../report-failure.ts';
import { databaseNames, runMeta, tablesOf } from './meta-commands.ts';
import { HISTORY_ENTRIES_MAX, historyFile, readHistory, writeHistory } from './history.ts';
import { findPager, page } from './pager.ts';
import { runAndShow, type Session } from './session.ts';
import { createSplitter, type OpenState } from './splitter.ts';

const KEYWORDS =
  'select from where group by order by having limit offset join left right full cross on using as and or not in is null like between case when then else end distinct union all except intersect with count sum avg min max round cast extract date_trunc hour day month year describe show tables explain'.split(
    ' ',
  );

/** Resolves when the user leaves. */
export async function runShell(session: Session): Promise<void> {
  const file = historyFile();
  const words = new Set(KEYWORDS);
  const rl = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: true,
    history: readHistory(file),
    historySize: HISTORY_ENTRIES_MAX,
    removeHistoryDuplicates: true,
    completer: (line: string) => complete(line, words),
  });
  let history = readHistory(file);
  rl.on('history', (entries) => (history = entries));
  session.present = presenter(session, rl);
  session.out.write(
    `${session.out.paint('bold', 'Sluice SQL')} on ${session.connection.endpoint}. Statements end with ;  \\? helps, \\q leaves.\n`,
  );
  void learnNames(session, words);
  try {
    await readLines(session, rl, (lines) => joinInHistory(history, lines));
  } finally {
    rl.close();
    writeHistory(file, history);
  }
}

async function readLines(session: Session, rl: Interface, joined: (lines: string[]) => void): Promise<void> {
  const splitter = createSplitter();
  let lines: string[] = [];
  let running: AbortController | undefined;
  const waiting: string[] = [];
  let wake = () => {};
  let closed = false;
  rl.on('line', (line) => {
    waiting.push(line);
    wake();
  });
  rl.on('close', () => {
    closed = true;
    running?.abort(new SilentExit(EXIT.interrupted));
    wake();
  });
  rl.on('SIGINT', () => {
    if (running !== undefined) return running.abort(new SilentExit(EXIT.interrupted));
    session.out.write('^C\n');
    splitter.reset();
    lines = [];
    rl.write(null, { ctrl: true, name: 'e' });
    rl.write(null, { ctrl: true, name: 'u' });
    prompt();
  });
  const prompt = () => {
    rl.setPrompt(promptOf(session, splitter.state()));
    rl.prompt();
  };
  prompt();
  for (;;) {
    const line = waiting.shift();
    if (line === undefined) {
      if (closed) break;
      await new Promise<void>((resolve) => (wake = resolve));
      continue;
    }
    if (splitter.state() === 'start' && /^\s*(?:\\|(?:quit|exit)\s*;?\s*$)/i.test(line)) {
      const meta = line.trim().startsWith('\\') ? line : '\\q';
      if ((await orShowWhy(() => runMeta(session, meta))) === 'quit') return;
    } else {
      lines.push(line);
      const statements = splitter.push(`${line}\n`);
      if (statements.length > 0 || splitter.state() === 'start') {
        joined(lines);
        lines = [];
      }
      const { signal } = (running = new AbortController());
      for (const sql of statements) {
        const succeeded = await orShowWhy(() => runAndShow(session, sql, signal));
        if (succeeded !== true && (signal.aborted || succeeded === undefined)) break;
      }
      running = undefined;
    }
    if (waiting.length === 0 && !closed) prompt();
  }
  // ^D leaves the cursor behind the prompt.
  session.out.write('\n');
}

/** A server that is away may come back: the shell stays. Undefined when the work failed. */
async function orShowWhy<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    reportFailure(error);
    return undefined;
  }
}

const MARKS: Readonly<Record<OpenState, string>> = {
  start: '>',
  statement: '->',
  quote: "'>",
  comment: '*>',
};

function promptOf(session: Session, state: OpenState): string {
  const name = session.database ?? 'sluice';
  return `${state === 'start' ? name : ' '.repeat(Math.max(0, name.length - 1))}${MARKS[state]} `;
}

/** A statement of several lines comes back as one, unless a comment to the end of a line would swallow the rest. */
function joinInHistory(history: string[], lines: readonly string[]): void {
  const typed = lines.filter((line) => line.trim() !== '');
  if (typed.length < 2 || typed.some((line) => line.includes('--'))) return;
  for (const line of typed) {
    const at = history.indexOf(line);
    if (at !== -1) history.splice(at, 1);
  }
  history.unshift(typed.map((line) => line.trim()).join(' '));
}

function presenter(session: Session, rl: Interface): Session['present'] {
  const pager = findPager();
  return async (lines) => {
    const text = lines.map((line) => `${line}\n`).join('');
    if (pager === undefined || lines.length < session.out.rows()) return session.out.write(text);
    rl.pause();
    process.stdin.setRawMode(false);
    const paged = await page(text, pager);
    process.stdin.setRawMode(true);
    rl.resume();
    if (!paged) session.out.write(text);
  };
}

function complete(line: string, words: ReadonlySet<string>): [string[], string] {
  const word = /[\w."]*$/.exec(line)?.[0] ?? '';
  if (word === '') return [[], word];
  return [[...words].filter((each) => each.startsWith(word.toLowerCase())).sort(), word];
}

/** Names of tables and columns for completion; without them the shell works as well. */
async function learnNames(session: Session, words: Set<string>): Promise<void> {
  const glue = await glueOf(session.connection);
  try {
    for (const { name } of await databaseNames(glue)) {
      words.add(name);
      for (const table of await tablesOf(glue, name)) {
        words.add(`${name}.${table.Name}`);
        if (table.Name !== undefined) words.add(table.Name);
        for (const column of table.StorageDescriptor?.Columns ?? []) if (column.Name) words.add(column.Name);
      }
    }
  } catch {
    return;
  } finally {
    glue.destroy();
  }
}
