/** What a table demands of the rows that are written to it, in the form in which an engine applies it. */
import { canCast } from '../constraints/value-types.ts';
import { declaredLength, tableChecks, translatedRule } from '../constraints/table-checks.ts';
import { translateExpression } from '../constraints/translate.ts';
import type { RowCheck } from '../engine.ts';
import { DeltaError } from '../errors.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import { DEFAULT_KEY, GENERATION_KEY, type StructField, type StructType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { generatedIdentity, givenIdentity, type IdentityColumn, identityColumns } from './identity.ts';

/** The parts of a `WriteRequest` that make its rows fit a table. */
export interface WriteRules {
  readonly checks: readonly RowCheck[];
  readonly computed: Readonly<Record<string, string>>;
}

/** For files that hold no rows of the table proper, such as change files, and rows that were checked before. */
export const NO_RULES: WriteRules = { checks: [], computed: {} };

export interface WriteRulesOptions {
  /** That the table is to have; default: the one that it has. */
  readonly schema?: StructType;
  /** The top-level columns that the source provides, without regard to case; default: all of them. */
  readonly columns?: readonly string[];
  /**
   * `insert` (default): rows that are new. `rewrite`: rows that the table has, changed or not, and new ones between
   * them: an identity column keeps the values that are there, and no default is put in.
   */
  readonly kind?: 'insert' | 'rewrite';
}

/**
 * The checks (CHECK constraints, invariants, lengths of char and varchar, generated columns that a row provides) and
 * the computed columns (generated, identity and default values, padding) of a write. NOT NULL is the schema's, which
 * engines enforce by themselves. A generated column is computed where a row has none, or NULL, and verified where it
 * has one: whoever changes a column that others are generated from sets those to NULL. Throws `unsupported-feature`
 * for a rule that can't be evaluated.
 */
export function writeRules(
  state: Pick<TableState, 'schema' | 'metadata'>,
  options: WriteRulesOptions = {},
): WriteRules {
  const schema = options.schema ?? state.schema;
  const provided = new Set((options.columns ?? schema.fields.map(({ name }) => name)).map(lowered));
  const checks = tableChecks({ metadata: state.metadata, schema });
  const writer = new RuleWriter({
    schema,
    provided,
    kind: options.kind ?? 'insert',
    partitionColumns: state.metadata.partitionColumns,
    hasChecks: checks.length > 0,
  });
  return { computed: writer.computed(), checks: [...checks, ...writer.generatedChecks()] };
}

/** Whether no row needs anything done for these rules. */
export function hasRules({ checks, computed }: WriteRules): boolean {
  return checks.length > 0 || Object.keys(computed).length > 0;
}

interface RuleSource {
  readonly schema: StructType;
  readonly provided: ReadonlySet<string>;
  readonly kind: 'insert' | 'rewrite';
  readonly partitionColumns: readonly string[];
  /** Whether rows are judged by more than their types. */
  readonly hasChecks: boolean;
}

class RuleWriter {
  readonly #source: RuleSource;
  readonly #identities: ReadonlyMap<string, IdentityColumn>;

  constructor(source: RuleSource) {
    this.#source = source;
    this.#identities = new Map(identityColumns(source.schema).map((column) => [column.name, column]));
  }

  computed(): Record<string, string> {
    return Object.fromEntries(
      this.#source.schema.fields.flatMap((field): [string, string][] => {
        const sql = this.#computed(field);
        return sql === undefined ? [] : [[field.name, sql]];
      }),
    );
  }

  /** A generated column's value must be the one that its expression has over the finished row. */
  generatedChecks(): RowCheck[] {
    return this.#source.schema.fields.flatMap((field) => {
      const expression = textOf(field, GENERATION_KEY);
      if (expression === undefined || !this.#isProvided(field)) return [];
      const sql = this.#generated(field, expression, quoteIdentifier);
      return [
        {
          name: `the generated column "${field.name}" (${expression})`,
          sql: `${quoteIdentifier(field.name)} IS NOT DISTINCT FROM ${sql}`,
        },
      ];
    });
  }

  #computed(field: StructField): string | undefined {
    const name = quoteIdentifier(field.name);
    const isProvided = this.#isProvided(field);
    const expression = textOf(field, GENERATION_KEY);
    if (expression !== undefined) {
      // Over the finished row, although the expression runs on the source's.
      const sql = this.#generated(field, expression, (column) => this.#finished(column));
      return isProvided ? `coalesce(${name}, ${sql})` : sql;
    }
    return this.#independent(field);
  }

  /** A column's computed value that depends on no other column. */
  #independent(field: StructField): string | undefined {
    const { kind } = this.#source;
    const identity = this.#identities.get(field.name);
    if (identity !== undefined) {
      if (!this.#isProvided(field)) return generatedIdentity(identity);
      return givenIdentity(identity, { mayBeGiven: kind === 'rewrite' || identity.allowExplicitInsert });
    }
    const initial = textOf(field, DEFAULT_KEY);
    if (initial !== undefined && kind === 'insert' && !this.#isProvided(field)) {
      return this.#default(field, initial);
    }
    const declared = declaredLength(field);
    if (declared?.isPadded === true && field.type === 'string') {
      const name = quoteIdentifier(field.name);
      return `CASE WHEN length(${name}) < ${declared.length} THEN rpad(${name}, ${declared.length}, ' ') ELSE ${name} END`;
    }
    // '' partitions as NULL, which is then what a row must be judged by.
    const isJudged = this.#source.hasChecks || !field.nullable;
    return isJudged && this.#isTextPartition(field)
      ? `nullif(${quoteIdentifier(field.name)}, '')`
      : undefined;
  }

  #isTextPartition({ name, type }: StructField): boolean {
    return type === 'string' && this.#source.partitionColumns.includes(name);
  }

  #finished(column: string): string {
    const field = this.#source.schema.fields.find(({ name }) => name === column);
    const sql = field === undefined ? undefined : this.#independent(field);
    return sql === undefined ? quoteIdentifier(column) : `(${sql})`;
  }

  #generated(field: StructField, expression: string, columnSql: (name: string) => string): string {
    const { schema } = this.#source;
    return this.#cast(field, {
      rule: `the generated column "${field.name}"`,
      translate: () => {
        const translated = translateExpression(expression, schema, { columnSql });
        this.#assertIndependent(field, translated.columns);
        return translated;
      },
    });
  }

  #default(field: StructField, expression: string): string {
    return this.#cast(field, {
      rule: `the default of the column "${field.name}"`,
      translate: () => translateExpression(expression, { type: 'struct', fields: [] }, { allowClock: true }),
    });
  }

  #cast(
    field: StructField,
    { rule, translate }: { rule: string; translate: () => ReturnType<typeof translateExpression> },
  ): string {
    const { sql, type } = translatedRule(rule, translate);
    if (canCast(type, field.type)) {
      const cast = `CAST(${sql} AS ${duckDbType(field.type)})`;
      return this.#isTextPartition(field) ? `nullif(${cast}, '')` : cast;
    }
    throw new DeltaError({
      code: 'unsupported-feature',
      message: `the table can't be written because of ${rule}: its values are of the type ${JSON.stringify(type)}, the column is not`,
    });
  }

  /** Spark forbids generated columns over generated ones, whose values would depend on an order. */
  #assertIndependent(field: StructField, columns: readonly (readonly string[])[]): void {
    for (const [name] of columns) {
      const other = this.#source.schema.fields.find((candidate) => candidate.name === name);
      if (other === undefined || textOf(other, GENERATION_KEY) === undefined) continue;
      throw new DeltaError({
        code: 'unsupported-feature',
        message: `the generated column "${field.name}" is computed from "${other.name}", which is generated itself`,
      });
    }
  }

  #isProvided({ name }: StructField): boolean {
    return this.#source.provided.has(lowered(name));
  }
}

function textOf(field: StructField, key: string): string | undefined {
  const value = field.metadata[key];
  return typeof value === 'string' ? value : undefined;
}

function lowered(name: string): string {
  return name.toLowerCase();
}
