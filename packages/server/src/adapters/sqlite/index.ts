/**
 * The MetaStore in one SQLite file: WAL with `synchronous = FULL`, so a returned commit survives a crash of the
 * machine. `:memory:` keeps it in this process, for tests and simulations.
 */
import { DatabaseSync } from 'node:sqlite';
import { CompiledQuery, Kysely } from 'kysely';
import { assert } from '../../base/assert.ts';
import { MetaStoreError, type MetaStore, type Migration } from '../../ports/meta-store.ts';
import { createDialect, insideTransaction } from './dialect.ts';
import { toMetaStoreError } from './sqlite-errors.ts';

/** Layout of what this adapter itself keeps in the file (the table of migrations). */
const FORMAT_VERSION = 1;
/** How long a statement waits for another process, such as a backup, that holds the file. */
const BUSY_TIMEOUT_MS = 5_000;

interface OwnTables {
  sluice_migrations: { module: string; version: number };
}

/** Rejects with `newer-version` when the file was written by a version that this one doesn't know, or `damaged`. */
// oxlint-disable-next-line typescript/require-await
export async function openSqliteMetaStore(file: string): Promise<MetaStore> {
  const database = openDatabase(file);
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    prepareFormat(database, file);
  } catch (error) {
    database.close();
    throw toMetaStoreError(error, file);
  }
  const kysely = new Kysely<OwnTables>({ dialect: createDialect(database) });

  const transaction = async <Tables, Result>(
    work: (tx: Kysely<Tables>) => Promise<Result>,
  ): Promise<Result> =>
    (kysely as unknown as Kysely<Tables>).transaction().execute(async (tx) => {
      const scope = { open: true };
      try {
        return await insideTransaction.run(scope, () => work(tx));
      } finally {
        scope.open = false;
      }
    });

  return {
    tables: <Tables>() => kysely as unknown as Kysely<Tables>,
    transaction,
    migrate: (module, migrations) =>
      migrate({ module, migrations, file, transaction: (work) => transaction<OwnTables, boolean>(work) }),
    async close() {
      await kysely.destroy();
      // kysely destroys only a driver that it has used.
      if (database.isOpen) database.close();
    },
  };
}

function openDatabase(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  } catch (error) {
    throw toMetaStoreError(error, file);
  }
}

function prepareFormat(database: DatabaseSync, file: string): void {
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > FORMAT_VERSION) throw newerVersion(`${file} has format ${version}`, FORMAT_VERSION);
  if (version === FORMAT_VERSION) return;
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS sluice_migrations (module text NOT NULL, version integer NOT NULL, PRIMARY KEY (module, version));
    PRAGMA user_version = ${FORMAT_VERSION};
    COMMIT`);
}

async function migrate(options: {
  readonly module: string;
  readonly migrations: readonly Migration[];
  readonly file: string;
  readonly transaction: (work: (tx: Kysely<OwnTables>) => Promise<boolean>) => Promise<boolean>;
}): Promise<void> {
  const { module, migrations, file, transaction } = options;
  migrations.forEach((migration, index) =>
    assert(migration.version === index + 1, `the migrations of ${module} are not numbered 1, 2, 3 …`),
  );
  for (;;) {
    const more = await transaction(async (tx) => {
      const last = await tx
        .selectFrom('sluice_migrations')
        .select((columns) => columns.fn.max('version').as('version'))
        .where('module', '=', module)
        .executeTakeFirst();
      const applied = last?.version ?? 0;
      if (applied > migrations.length)
        throw newerVersion(`"${module}" in ${file} is at version ${applied}`, migrations.length);
      const next = migrations[applied];
      if (next === undefined) return false;
      for (const statement of next.sql) await tx.executeQuery(CompiledQuery.raw(statement));
      await tx.insertInto('sluice_migrations').values({ module, version: next.version }).execute();
      return true;
    });
    if (!more) return;
  }
}

function newerVersion(what: string, known: number): MetaStoreError {
  return new MetaStoreError({
    code: 'newer-version',
    message: `${what}; this version of Sluice knows up to ${known}`,
    hint: 'Start the version of Sluice that wrote this data, or a later one.',
  });
}
