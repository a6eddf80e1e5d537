/**
 * Runs what the README and the guide show. The `ts` blocks of a page are one program, in the order of the page, run in
 * an empty directory with a real DuckDB; what stands behind `// →` is what the `console.log` before it prints, white
 * space aside. Blocks marked `ts s3` are a program of their own, run against a real S3 service where there is one. All of
 * them are checked by the compiler. A line of a program is the same line of its page.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { format, inspect, promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { type S3TestServer, startS3Server } from './s3-server.ts';

const PACKAGE = resolve(import.meta.dirname, '..');
const REPOSITORY = resolve(PACKAGE, '../..');
const PAGES = [join(PACKAGE, 'README.md'), ...globSync(join(PACKAGE, 'docs/guide/*.md')).toSorted()];
/** Of blocks that the docs' examples for S3 name. */
const S3_BUCKET = 'lake';

const PRINTED = /console\.log\((.*)\);[ \t]*(?:\n[ \t]*)?\/\/ → (.*(?:\n[ \t]*\/\/ {3}.*)*)/g;

type Kind = 'ts' | 'ts s3';

/** The blocks of a kind as one program; every other line is empty. Undefined for a page without any. */
export function programOf(markdown: string, kind: Kind): string | undefined {
  let within: string | undefined;
  let found = false;
  const lines = markdown.split('\n').map((line) => {
    const fence = /^```(.*)$/.exec(line)?.[1];
    if (fence === undefined) return within === kind ? line : '';
    within = within === undefined ? fence.trim() : undefined;
    found ||= within === kind;
    return '';
  });
  return found ? lines.join('\n') : undefined;
}

interface Printed {
  readonly line: number;
  readonly text: string;
}

/** A program that reports what it prints where the page says what that is, and what the page says. */
export function watched(program: string): { program: string; expected: Printed[] } {
  const expected: Printed[] = [];
  const text = program.replaceAll(PRINTED, (whole: string, args: string, said: string, at: number) => {
    const line = program.slice(0, at).split('\n').length;
    expected.push({ line, text: flat(said.replaceAll(/\n[ \t]*\/\/ {3}/g, ' ')) });
    return `globalThis.printed(${line}, ${args});${'\n'.repeat(whole.split('\n').length - 1)}`;
  });
  assert.equal(program.split('// →').length - 1, expected.length, 'each → stands behind one console.log');
  return { program: text, expected };
}

function flat(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** What a program printed where its page says something; the page's lines are in the stack of what it throws. */
async function run(program: string, { directory, name }: { directory: string; name: string }): Promise<void> {
  const { program: text, expected } = watched(program);
  const file = join(directory, `${name}.ts`);
  writeFileSync(file, text);
  const printed: Printed[] = [];
  const home = process.cwd();
  const working = join(directory, `${name}-work`);
  mkdirSync(working);
  const { log } = console;
  const { breakLength } = inspect.defaultOptions;
  Object.assign(globalThis, {
    printed: (line: number, ...values: unknown[]) => printed.push({ line, text: flat(format(...values)) }),
  });
  process.chdir(working);
  inspect.defaultOptions.breakLength = Infinity;
  console.log = () => undefined;
  try {
    await import(pathToFileURL(file).href);
  } finally {
    console.log = log;
    inspect.defaultOptions.breakLength = breakLength;
    process.chdir(home);
  }
  assert.deepEqual(printed, expected);
}

function nameOf(page: string): string {
  return basename(page, '.md').toLowerCase();
}

let directory: string;
let s3: S3TestServer | { readonly unavailable: string };
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-docs-'));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ type: 'module' }));
  s3 = await startS3Server();
});
after(async () => {
  if ('stop' in s3) await s3.stop();
  await rm(directory, { recursive: true });
});

describe('the examples of the documentation', () => {
  for (const page of PAGES) {
    const markdown = readFileSync(page, 'utf8');
    const program = programOf(markdown, 'ts');
    if (program !== undefined) {
      it(`run: ${relative(PACKAGE, page)}`, () => run(program, { directory, name: nameOf(page) }));
    }
    const withS3 = programOf(markdown, 'ts s3');
    if (withS3 !== undefined) {
      it(`run against S3: ${relative(PACKAGE, page)}`, async (t) => {
        if ('unavailable' in s3) return t.skip(s3.unavailable);
        const client = new S3Client(s3.client);
        await client.send(new CreateBucketCommand({ Bucket: S3_BUCKET }));
        client.destroy();
        const { accessKeyId, secretAccessKey } = credentialsOf(s3);
        Object.assign(process.env, {
          S3_ENDPOINT: s3.endpoint,
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
        });
        await run(withS3, { directory, name: `${nameOf(page)}-s3` });
      });
    }
  }

  it('pass the compiler', async () => {
    const checked = join(directory, 'checked');
    mkdirSync(checked);
    for (const page of PAGES) {
      const markdown = readFileSync(page, 'utf8');
      for (const kind of ['ts', 'ts s3'] as const) {
        const program = programOf(markdown, kind);
        const name = `${nameOf(page)}${kind === 'ts' ? '' : '-s3'}.ts`;
        // A page without imports is a module all the same.
        if (program !== undefined) writeFileSync(join(checked, name), `${program}\nexport {};\n`);
      }
    }
    // The compiler did look, and at these files.
    writeFileSync(join(checked, 'planted.ts'), 'export const planted: number = true;\n');
    const config = { extends: join(REPOSITORY, 'tsconfig.json'), include: [`${checked}/*.ts`], exclude: [] };
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(REPOSITORY, 'node_modules/typescript/bin/tsc');
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', directory], {
      cwd: directory,
    }).catch((error: { stdout: string }) => error);
    const found = stdout.split('\n').filter((line) => line.startsWith('checked/'));
    assert.deepEqual(found, [
      "checked/planted.ts(1,14): error TS2322: Type 'boolean' is not assignable to type 'number'.",
    ]);
  });
});

function credentialsOf({ client }: S3TestServer): { accessKeyId: string; secretAccessKey: string } {
  const { credentials } = client;
  assert.ok(credentials !== undefined && typeof credentials !== 'function');
  return credentials;
}

describe('the documentation', () => {
  const documents = [join(PACKAGE, 'README.md'), ...globSync(join(PACKAGE, 'docs/**/*.md'))];

  it('links to what is there', () => {
    const dead = documents.flatMap((document) => {
      const text = readFileSync(document, 'utf8').replaceAll(/^```[^]*?^```/gm, '');
      const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
      return links
        .filter((target) => !/^https?:/.test(target) && !isThere(document, target))
        .map((target) => `${relative(PACKAGE, document)} → ${target}`);
    });
    assert.deepEqual(dead, []);
  });
});

describe('the page of errors', () => {
  it('has every code, and no other', () => {
    const source = readFileSync(join(PACKAGE, 'src/errors.ts'), 'utf8');
    const union = /export type DeltaErrorCode =([^;]+);/.exec(source)?.[1] ?? '';
    const codes = [...union.matchAll(/'([^']+)'/g)].map(([, code]) => code);
    const page = readFileSync(join(PACKAGE, 'docs/guide/errors.md'), 'utf8');
    const listed = [...page.matchAll(/^\| `([a-z-]+)` /gm)].map(([, code]) => code);
    assert.ok(codes.length > 20);
    assert.deepEqual(listed.toSorted(), codes.toSorted());
  });
});

function isThere(document: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? document : resolve(dirname(document), path);
  if (!existsSync(file)) return false;
  return anchor === undefined || anchorsOf(readFileSync(file, 'utf8')).has(anchor);
}

/** As GitHub makes them of headings. */
function anchorsOf(markdown: string): Set<string> {
  const headings = markdown.replaceAll(/^```[^]*?^```/gm, '').matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('the runner of the examples', () => {
  it('keeps the lines of the page, and leaves other blocks out', () => {
    const page = '# a\n```ts\nconst a = 1;\n```\ntext\n```sh\nls\n```\n```ts\nuse(a);\n```\n';
    assert.equal(programOf(page, 'ts'), '\n\nconst a = 1;\n\n\n\n\n\n\nuse(a);\n\n');
    assert.equal(programOf(page, 'ts s3'), undefined);
  });

  it('takes what a line, or some, say to be printed', () => {
    const { program, expected } = watched(
      'console.log(a, f(b)); // → 1 2\n\nconsole.log(c);\n// → x\n//   y\n',
    );
    assert.deepEqual(expected, [
      { line: 1, text: '1 2' },
      { line: 3, text: 'x y' },
    ]);
    assert.equal(program, 'globalThis.printed(1, a, f(b));\n\nglobalThis.printed(3, c);\n\n\n');
    assert.throws(() => watched('use(a); // → 1'), /stands behind one console.log/);
  });

  it('finds what is not as the page says', async () => {
    await assert.rejects(run('console.log(1 + 1); // → 3', { directory, name: 'planted' }), /deep/);
  });
});
