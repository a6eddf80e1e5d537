/**
 * Writes packages/delta/docs/api.md: every name that the entry points of `@sluice/delta` export, with its signature and
 * docstring, from the sources themselves.
 *
 * `node tools/api-reference.ts` writes; `--check` only says whether the file is as it should be. It goes by the API of
 * the TypeScript compiler that is still called unstable: a new version of the compiler may need changes here.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import {
  type ClassDeclaration,
  type ClassElement,
  ModifierFlags,
  type Node,
  type SourceFile,
  SyntaxKind,
  type TypeReferenceNode,
} from 'typescript/unstable/ast';
import {
  API,
  type Checker,
  NodeBuilderFlags,
  type Project,
  type Symbol as TsSymbol,
} from 'typescript/unstable/sync';

const ROOT = join(import.meta.dirname, '..');
const PACKAGE = join(ROOT, 'packages/delta');
const TARGET = join(PACKAGE, 'docs/api.md');
const FORMATTER = join(ROOT, 'node_modules/.bin/oxfmt');

/** Where a name of the main entry point is listed, by the file that declares it; the first that fits. */
const GROUPS: readonly (readonly [heading: string, files: RegExp])[] = [
  ['Tables', /^(table|table-context|write\/create-table)\.ts$/],
  ['Reading', /^(snapshot|reading|detail)\/|^maintenance\/diff/],
  ['Writing', /^write\//],
  ['Changing rows', /^dml\//],
  ['Table changes', /^(alter\/|table-alterations)/],
  ['Change feed', /^change-feed\//],
  ['Maintenance', /^maintenance\/|^log\/(clean-up|compaction)/],
  ['Errors', /^errors/],
  ['Concurrency', /^transaction\//],
  ['Schemas and types', /^schema\//],
  ['Predicates and SQL', /^(skip|scan)\//],
  ['Stores', /^(store|s3)\//],
  ['Engines', /^(engine|duckdb)/],
  ['The log', /^(log|protocol|properties)\//],
];

interface Entry {
  readonly name: string;
  /** Relative to the sources' folder. */
  readonly file: string;
  readonly doc: string;
  readonly code: string;
  /** Of a class. */
  readonly members: readonly { readonly title: string; readonly doc: string; readonly code: string }[];
}

/** Types that signatures name and callers have no use for. */
const INTERNAL_TYPES = new Set(['CheckpointRead']);

/** The text of the reference. Throws for an export that no group takes. */
export function apiReference(): string {
  return withProject((project) => {
    const points = entryPoints().map(({ name, file }) => ({ name, entries: entriesOf(project, file) }));
    return formatted(rendered(points));
  });
}

/** Types of the package that an export's signature names, and that nobody can import. */
export function unexportedTypes(internal: ReadonlySet<string> = INTERNAL_TYPES): string[] {
  return withProject((project) => {
    const exported = entryPoints()
      .flatMap(({ file }) => exportsOf(project, file))
      .map((symbol) => declared(project, symbol));
    const names = new Set(exported.map(({ target }) => target.name));
    const found = new Set<string>();
    for (const { nodes } of exported) for (const node of nodes) namedTypes(project, node, found);
    return [...found].filter((name) => !names.has(name) && !internal.has(name)).toSorted();
  });
}

function withProject<Result>(task: (project: Project) => Result): Result {
  const api = new API({ cwd: ROOT });
  try {
    const config = join(ROOT, 'tsconfig.json');
    const project = api.updateSnapshot({ openProjects: [config] }).getProjects()[0];
    if (project === undefined) throw new Error(`${config} is no project`);
    return task(project);
  } finally {
    api.close();
  }
}

function entryPoints(): { name: string; file: string }[] {
  const { exports } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as {
    exports: Readonly<Record<string, string>>;
  };
  return Object.entries(exports).map(([point, file]) => ({
    name: join('@sluice/delta', point),
    file: join(PACKAGE, file),
  }));
}

/** Adds the names of the package's types that a declaration refers to outside of bodies and private members. */
function namedTypes(project: Project, node: Node, found: Set<string>): void {
  if (node.kind === SyntaxKind.Block) return;
  if (isClassElement(node) && !isPublic(node)) return;
  if (node.kind === SyntaxKind.TypeReference) {
    const { typeName } = node as TypeReferenceNode;
    const symbol = project.checker.getSymbolAtLocation(typeName);
    const declaration = symbol === undefined ? undefined : declared(project, symbol).nodes[0];
    const isOurs =
      declaration !== undefined &&
      declaration.kind !== SyntaxKind.TypeParameter &&
      declaration.getSourceFile().fileName.startsWith(join(PACKAGE, 'src'));
    if (isOurs) found.add(sourceOf(typeName));
  }
  node.forEachChild((child) => namedTypes(project, child, found));
}

function exportsOf(project: Project, file: string): readonly TsSymbol[] {
  const source = project.program.getSourceFile(file);
  const module = source === undefined ? undefined : project.checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${file} is no module of the project`);
  return project.checker.getExportsOfModule(module);
}

function entriesOf(project: Project, file: string): Entry[] {
  return exportsOf(project, file)
    .map((symbol) => entryOf(project, symbol))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** What a name stands for, past its imports and exports. */
function declared(project: Project, symbol: TsSymbol): { target: TsSymbol; nodes: Node[] } {
  const isAlias = symbol.declarations.some(({ kind }) => ALIASES.has(kind));
  const target = isAlias ? project.checker.getAliasedSymbol(symbol) : symbol;
  return { target, nodes: target.declarations.flatMap((handle) => handle.resolve(project) ?? []) };
}

const ALIASES: ReadonlySet<SyntaxKind> = new Set([SyntaxKind.ExportSpecifier, SyntaxKind.ImportSpecifier]);

function entryOf(project: Project, symbol: TsSymbol): Entry {
  const { checker } = project;
  const { target, nodes } = declared(project, symbol);
  const [node] = nodes;
  if (node === undefined) throw new Error(`the export ${symbol.name} has no declaration`);
  const { name } = symbol;
  const source = node.getSourceFile();
  const renamed = (text: string): string =>
    name === target.name ? text : text.replace(new RegExp(`\\b${target.name}\\b`), name);
  return {
    name,
    file: relative(join(PACKAGE, 'src'), source.fileName),
    doc: withValues(docOf(checker, { symbol: target, node }), source),
    code: withValues(renamed(nodes.map((each) => declarationText(checker, target, each)).join('\n')), source),
    members: node.kind === SyntaxKind.ClassDeclaration ? membersOf(project, node as ClassDeclaration) : [],
  };
}

/** Links to constants that are not exported say their values. */
function withValues(text: string, source: SourceFile): string {
  return text.replaceAll(/\{@link ([A-Z][A-Z0-9_]+)\}/g, (link, name: string) => {
    const value = new RegExp(`^(?:export )?const ${name}(?:: [^=]+)? = ([^;]+);`, 'm').exec(source.text)?.[1];
    return value === undefined ? link : `${name} (${value})`;
  });
}

/** The declaration as its reader needs it: without bodies, initialisers of constants and `export`. */
function declarationText(checker: Checker, symbol: TsSymbol, node: Node): string {
  if (node.kind === SyntaxKind.ClassDeclaration) return classHead(node as ClassDeclaration);
  if (node.kind === SyntaxKind.FunctionDeclaration) return headText(node);
  const text = sourceOf(node).replace(/^export /, '');
  // The keyword is outside of the node of one constant.
  if (node.kind === SyntaxKind.VariableDeclaration)
    return `const ${text.replace(/^(\w+: [^=]+) = [^]*$/, '$1')};`;
  if (!/= .*\btypeof\b/.test(text)) return text;
  const flags = NodeBuilderFlags.InTypeAlias | NodeBuilderFlags.NoTruncation;
  const type = checker.typeToString(checker.getDeclaredTypeOfSymbol(symbol), undefined, flags);
  return `type ${symbol.name} = ${type};`;
}

function sourceOf(node: Node): string {
  const source = node.getSourceFile();
  return source.text.slice(node.getStart(source), node.getEnd());
}

function classHead(node: ClassDeclaration): string {
  const [first] = node.members;
  const text = sourceOf(node);
  const end = first === undefined ? text.length : first.pos - node.getStart(node.getSourceFile());
  return `${text
    .slice(0, text.lastIndexOf('{', end))
    .replace(/^export /, '')
    .trim()} {}`;
}

/** Up to where the body begins. */
function headText(node: Node & { readonly body?: Node | undefined }): string {
  const source = node.getSourceFile();
  const end = node.body === undefined ? node.getEnd() : node.body.getStart(source);
  const start = node.getStart(source);
  const indent = start - source.text.lastIndexOf('\n', start) - 1;
  const text = source.text.slice(start, end).replaceAll(`\n${' '.repeat(indent)}`, '\n');
  return `${text
    .replace(/^export /, '')
    .replace(/\basync (?=function|\*|\w)/, '')
    .trim()};`;
}

/** What the compiler's types leave out of a class element. */
type Member = ClassElement & { readonly name?: Node; readonly modifierFlags: number };

function membersOf(project: Project, node: ClassDeclaration): Entry['members'] {
  return node.members
    .filter((member) => isClassElement(member))
    .filter(isPublic)
    .map((member) => {
      const symbol = member.name === undefined ? undefined : project.checker.getSymbolAtLocation(member.name);
      const name = member.name === undefined ? 'constructor' : sourceOf(member.name);
      const isStatic = (member.modifierFlags & ModifierFlags.Static) !== 0;
      const className = node.name === undefined ? '' : sourceOf(node.name);
      return {
        title: name === 'constructor' ? `new ${className}` : isStatic ? `${className}.${name}` : `.${name}`,
        doc: docOf(project.checker, { symbol, node: member }),
        code: memberText(member),
      };
    });
}

function isClassElement(node: Node): node is Member {
  return CLASS_ELEMENTS.has(node.kind);
}

const CLASS_ELEMENTS: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.PropertyDeclaration,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);

function isPublic(member: Member): boolean {
  if (member.name?.kind === SyntaxKind.PrivateIdentifier) return false;
  if ((member.modifierFlags & (ModifierFlags.Private | ModifierFlags.Protected)) !== 0) return false;
  return !/@internal\b/.test(commentBefore(member) ?? '');
}

function memberText(member: Member): string {
  const text = headText(member)
    .replace(/^override /, '')
    .replace(/^\*/, '')
    .replace(/;;$/, ';');
  if (member.kind === SyntaxKind.PropertyDeclaration) return text.replace(/ = [^;]*;$/, ';');
  return text.replaceAll(/(\w+): ([^=,()]+) = \{\}/g, '$1?: $2');
}

/** The docstring right before a declaration, with its links, or else the one that the compiler finds. */
function docOf(checker: Checker, { symbol, node }: { symbol: TsSymbol | undefined; node: Node }): string {
  const comment = commentBefore(node);
  if (comment !== undefined) return comment.replaceAll(/^ *\* ?/gm, '').trim();
  return symbol === undefined ? '' : checker.getDocumentationCommentOfSymbol(symbol).trim();
}

function commentBefore(node: Node): string | undefined {
  const source = node.getSourceFile();
  const before = source.text.slice(node.pos, node.getStart(source));
  return [...before.matchAll(/\/\*\*([^]*?)\*\//g)].at(-1)?.[1];
}

interface Point {
  readonly name: string;
  readonly entries: readonly Entry[];
}

function rendered(points: readonly Point[]): string {
  const anchors = new Map(points.flatMap(({ entries }) => entries.map(({ name }) => [name, anchorOf(name)])));
  const sections = points.flatMap((point, at) =>
    at === 0 ? groupedSections(point, anchors) : section({ heading: point.name, ...point }, anchors),
  );
  const all = points.flatMap(({ name, entries }, at) => {
    const headings = at === 0 ? groupsOf(entries).map(({ heading }) => heading) : [];
    return [
      `- [\`${name}\`](#${anchorOf(name)})`,
      ...headings.map((each) => `  - [${each}](#${anchorOf(each)})`),
    ];
  });
  return [
    '# API of `@sluice/delta`',
    '',
    'Generated by `node tools/api-reference.ts` from the declarations and their docstrings. The [guide](../README.md#guide) shows how they are used.',
    '',
    ...all,
    '',
    ...sections,
  ].join('\n');
}

function groupedSections({ name, entries }: Point, anchors: ReadonlyMap<string, string>): string[] {
  return [
    `## ${name}`,
    '',
    ...groupsOf(entries).flatMap((group) => section({ ...group, level: '##' }, anchors)),
  ];
}

function groupsOf(entries: readonly Entry[]): { heading: string; entries: Entry[] }[] {
  const groups = new Map<string, Entry[]>(GROUPS.map(([heading]) => [heading, []]));
  for (const entry of entries) {
    const heading = GROUPS.find(([, files]) => files.test(entry.file))?.[0];
    if (heading === undefined) throw new Error(`no group of tools/api-reference.ts takes ${entry.file}`);
    groups.get(heading)?.push(entry);
  }
  return [...groups].flatMap(([heading, of]) => (of.length === 0 ? [] : [{ heading, entries: of }]));
}

function section(
  { heading, entries, level = '#' }: { heading: string; entries: readonly Entry[]; level?: '#' | '##' },
  anchors: ReadonlyMap<string, string>,
): string[] {
  return [
    `${level}# ${heading}`,
    '',
    ...entries.flatMap(({ name, doc, code, members }) => [
      `${level}## \`${name}\``,
      '',
      ...described({ doc, code }, anchors),
      ...members.flatMap((member) => [`${level}### \`${member.title}\``, '', ...described(member, anchors)]),
    ]),
  ];
}

function described(
  { doc, code }: { doc: string; code: string },
  anchors: ReadonlyMap<string, string>,
): string[] {
  const plain = code.replaceAll(/\{@link ([^}]+)\}/g, '$1');
  return ['```typescript', plain, '```', '', ...(doc === '' ? [] : [linked(doc, anchors), ''])];
}

/** Links of docstrings as those of the page, or as code where they lead elsewhere. */
function linked(doc: string, anchors: ReadonlyMap<string, string>): string {
  return doc.replaceAll(/\{@link ([^}]+)\}/g, (_, target: string) => {
    const anchor = anchors.get(target.trim()) ?? anchors.get(target.split('.')[0] ?? '');
    return anchor === undefined ? `\`${target}\`` : `[\`${target}\`](#${anchor})`;
  });
}

/** As GitHub makes them. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/** As the repository's formatter leaves it. */
function formatted(markdown: string): string {
  const done = spawnSync(FORMATTER, ['--stdin-filepath', relative(ROOT, TARGET)], {
    cwd: ROOT,
    input: markdown,
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(`oxfmt failed: ${done.stderr}`);
  return done.stdout;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Whether the file is not what the sources say. */
export function isStale(reference = apiReference()): boolean {
  return read(TARGET) !== reference;
}

if (import.meta.main) {
  const reference = apiReference();
  if (!process.argv.includes('--check')) writeFileSync(TARGET, reference);
  else if (isStale(reference)) {
    console.error('packages/delta/docs/api.md is stale; run: node tools/api-reference.ts');
    process.exitCode = 1;
  }
}
