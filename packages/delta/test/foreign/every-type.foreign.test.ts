/** Values of every type: written by one engine, read by all. */
import { describe, it } from 'node:test';
import { everyTypeRows, EVERY_TYPE as schema } from './sample-rows.ts';
import { assertAgreed, engines, newPath, withoutAll } from './stage.ts';
import type { Row } from './table-engine.ts';

describe('a table of every type', { skip: withoutAll }, () => {
  for (const creator of engines) {
    it(`of ${creator.name}, appended to by each`, async () => {
      const path = newPath('every-type');
      await creator.create(path, { schema });
      const rows: Row[] = [];
      for (const [at, writer] of engines.entries()) {
        const added = everyTypeRows(at * 10);
        await writer.append(path, { schema, rows: added });
        rows.push(...added);
        await assertAgreed(path, { rows });
      }
    });
  }
});
