/** Variants as files have them: in a group of columns, marked as one, or shredded. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { struct } from '../index.ts';
import { close, makeTable, rows } from './testing/scan-tables.ts';

after(close);

describe('a scan of variants', () => {
  it('reads variants, in a group of columns or marked as one', async () => {
    const group = `{metadata: '\\x01\\x01\\x00\\x01a'::BLOB, value: '\\x02\\x01\\x00\\x00\\x02\\x0C\\x01'::BLOB}`;
    const { snapshot } = await makeTable({
      schema: struct({
        id: 'long',
        v: 'variant',
        l: { type: 'array', elementType: struct({ w: 'variant' }), containsNull: true },
      }),
      features: ['variantType', 'variantShredding'],
      files: [
        { rows: `SELECT 1 AS id, ${group} AS v, [{w: ${group}}] AS l UNION ALL SELECT 2, NULL, NULL` },
        { rows: `SELECT 3 AS id, CAST('{"metadata": 1, "value": [true, "x"]}'::JSON AS VARIANT) AS v` },
        // DuckDB shreds what has one form.
        {
          rows: `SELECT i + 10 AS id, CAST({a: i, b: 'x' || i} AS VARIANT) AS v FROM range(3) AS t(i)`,
        },
      ],
    });
    const { sql } = await snapshot.scan();
    assert.deepEqual(
      await rows(
        `SELECT id, CAST(v AS JSON) AS v, CAST(l[1].w AS JSON) AS w, v IS NULL AS n FROM (${sql}) ORDER BY id`,
      ),
      [
        { id: '1', v: '{"a":1}', w: '{"a":1}', n: false },
        { id: '2', v: 'null', w: 'null', n: true },
        { id: '3', v: '{"metadata":1,"value":[true,"x"]}', w: 'null', n: false },
        { id: '10', v: '{"a":0,"b":"x0"}', w: 'null', n: false },
        { id: '11', v: '{"a":1,"b":"x1"}', w: 'null', n: false },
        { id: '12', v: '{"a":2,"b":"x2"}', w: 'null', n: false },
      ],
    );
  });

  it('refuses what is shredded in columns that aren’t marked as a variant, and reads what isn’t', async () => {
    const group = `metadata: '\\x01\\x00\\x00'::BLOB, value: '\\x0C\\x01'::BLOB`;
    for (const [members, expected] of [
      [`${group}, typed_value: NULL::BIGINT`, '1'],
      [`${group}, typed_value: 5`, undefined],
      [`metadata: '\\x01\\x00\\x00'::BLOB, typed_value: {a: 1}`, undefined],
    ] as const) {
      const { snapshot } = await makeTable({
        schema: struct({ v: 'variant' }),
        features: ['variantType', 'variantShredding-preview'],
        files: [{ rows: `SELECT {${members}} AS v` }],
      });
      const { sql } = await snapshot.scan();
      const read = rows(`SELECT CAST(v AS JSON) AS v FROM (${sql})`);
      if (expected === undefined) await assert.rejects(read, /shredded variant/);
      else assert.deepEqual(await read, [{ v: expected }]);
    }
  });
});
