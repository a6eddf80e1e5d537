import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { boundaryCases } from './boundaries.ts';
import { modelsAbsent, readModel } from './models.ts';
import { SAMPLES, SERVICE_NAMES } from './samples.ts';
import { signedPost } from './signed-post.ts';
import { openTarget } from './target.ts';

const CONSTRAINT = /validation errors? detected/;

suite('the bounds of the models', { skip: modelsAbsent }, () => {
  let target: Awaited<ReturnType<typeof openTarget>>;
  before(async () => (target = await openTarget()));
  after(() => target.stop());

  for (const service of SERVICE_NAMES) {
    const { targetPrefix, operations } = SAMPLES[service];
    for (const [operation, sample] of Object.entries(operations)) {
      test(`${service} ${operation}`, async () => {
        const cases = boundaryCases(readModel(service), operation, sample);
        assert.ok(cases.length > 0 || Object.keys(sample).length === 0);
        for (const { input, refusal, path, constraint } of cases) {
          const about = `${path}: ${constraint}`;
          const answer = await signedPost(target, {
            service,
            target: `${targetPrefix}.${operation}`,
            body: JSON.stringify(input),
          });
          assert.ok(answer.status < 500, `${about}: ${answer.status} ${answer.body.slice(0, 500)}`);
          if (refusal === undefined) {
            assert.doesNotMatch(answer.message, CONSTRAINT, about);
          } else {
            assert.equal(answer.status, 400, about);
            assert.ok(answer.message.includes(refusal), `${about}: ${answer.message.slice(0, 500)}`);
          }
        }
      });
    }
  }
});
