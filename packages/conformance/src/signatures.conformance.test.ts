import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { signedPost, type PostOptions } from './signed-post.ts';
import { startSluice, type StartedSluice } from './start-sluice.ts';

const LIST: PostOptions = { service: 'kinesis', target: 'Kinesis_20131202.ListStreams', body: '{}' };
const MINUTES = 60_000;

/** A server of its own, as one in `--dev` takes anything. */
suite('signatures', () => {
  let sluice: StartedSluice;
  before(async () => (sluice = await startSluice()));
  after(() => sluice.stop());

  test('the root key is taken', async () => {
    const answer = await signedPost(sluice, LIST);
    assert.equal(answer.status, 200, answer.body);
  });
  test('a wrong secret', async () => {
    const { status, type, message } = await signedPost({ ...sluice, secretAccessKey: 'wrong' }, LIST);
    assert.deepEqual([status, type], [400, 'InvalidSignatureException']);
    assert.match(message, /^The request signature we calculated does not match the signature you provided\./);
  });
  test('an unknown key', async () => {
    const { status, type, message } = await signedPost(
      { ...sluice, accessKeyId: 'AKIAUNKNOWN000000000' },
      LIST,
    );
    assert.deepEqual([status, type], [400, 'UnrecognizedClientException']);
    assert.equal(message, 'The security token included in the request is invalid.');
  });
  test('a skewed clock', async () => {
    const late = await signedPost(sluice, { ...LIST, now: new Date(Date.now() - 16 * MINUTES) });
    assert.equal(late.type, 'InvalidSignatureException');
    assert.match(late.message, /^Signature expired: \d{8}T\d{6}Z is now earlier than/);
    const early = await signedPost(sluice, { ...LIST, now: new Date(Date.now() + 16 * MINUTES) });
    assert.match(early.message, /^Signature not yet current: \d{8}T\d{6}Z is still later than/);
    const near = await signedPost(sluice, { ...LIST, now: new Date(Date.now() - 14 * MINUTES) });
    assert.equal(near.status, 200);
  });
  test('a tampered body and a tampered target', async () => {
    const body = await signedPost(sluice, { ...LIST, tamper: () => ({ body: Buffer.from('{ }') }) });
    assert.equal(body.type, 'InvalidSignatureException');
    const target = await signedPost(sluice, {
      ...LIST,
      tamper: ({ headers }) => void (headers['x-amz-target'] = 'Kinesis_20131202.DescribeLimits'),
    });
    assert.equal(target.type, 'InvalidSignatureException');
  });
  test('no signature', async () => {
    const answer = await signedPost(sluice, {
      ...LIST,
      tamper: ({ headers }) => void delete headers['authorization'],
    });
    assert.deepEqual([answer.status, answer.type], [400, 'MissingAuthenticationTokenException']);
    const status = await fetch(`${sluice.url}/status`);
    assert.equal(status.status, 403);
  });
  test('another service than the one that was signed for', async () => {
    const answer = await signedPost(sluice, { ...LIST, service: 'firehose' });
    assert.equal(answer.message, "Credential should be scoped to correct service: 'kinesis'.");
  });
  test('probes need no signature', async () => {
    assert.equal((await fetch(`${sluice.url}/health`)).status, 200);
    assert.equal((await fetch(`${sluice.url}/metrics`)).status, 200);
  });
});
