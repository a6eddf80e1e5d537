import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { boundaryCases, type BoundaryCase } from './boundaries.ts';
import { CBOR_WIRES, cborBody, cborPost } from './cbor-post.ts';
import { modelsAbsent, readModel } from './models.ts';
import { SAMPLES, SERVICE_NAMES } from './samples.ts';
import { signedPost, type Posted } from './signed-post.ts';
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
        for (const each of cases) {
          const body = JSON.stringify(each.input);
          checkAnswer(
            each,
            await signedPost(target, { service, target: `${targetPrefix}.${operation}`, body }),
          );
        }
      });
      // The one service whose SDKs speak CBOR by themselves.
      if (service !== 'kinesis') continue;
      for (const wire of CBOR_WIRES) {
        test(`${service} ${operation} over ${wire}`, async () => {
          const model = readModel(service);
          for (const each of boundaryCases(model, operation, sample)) {
            const body = cborBody(model, operation, each.input, wire);
            checkAnswer(each, await cborPost(target, wire, { service, targetPrefix, operation, body }));
          }
        });
      }
    }
  }
});

function checkAnswer({ path, constraint, refusal }: BoundaryCase, answer: Posted): void {
  const about = `${path}: ${constraint}`;
  assert.ok(answer.status < 500, `${about}: ${answer.status} ${answer.body.slice(0, 500)}`);
  if (refusal === undefined) {
    assert.doesNotMatch(answer.message, CONSTRAINT, about);
  } else {
    assert.equal(answer.status, 400, about);
    assert.ok(answer.message.includes(refusal), `${about}: ${answer.message.slice(0, 500)}`);
  }
}
