import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRoutes, isTopicName, problemOfRoutes } from './routes.ts';

const to = (filter: string, topic: string): boolean =>
  compileRoutes([{ topic: filter, stream: 's' }])(topic, 'c') !== undefined;

test('filters meet topics as subscriptions do', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['a/b', 'a/b', true],
    ['a/b', 'a/b/', false],
    ['a/+', 'a/b', true],
    ['a/+', 'a', false],
    ['a/+', 'a/b/c', false],
    ['+', '/a', false],
    ['+/+', '/a', true],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['#', 'a/b', true],
    ['#', '$SYS/a', false],
    ['+/a', '$SYS/a', false],
    ['$SYS/#', '$SYS/a', true],
  ];
  for (const [filter, topic, expected] of cases)
    assert.equal(to(filter, topic), expected, `${filter} ${topic}`);
});

test('the first route is taken, and makes the key', () => {
  const routes = compileRoutes([
    { topic: 'a/+/c', stream: 'one', key: '{2}:{clientId}' },
    { topic: 'a/#', stream: 'two', key: '{topic}|{3}' },
    { topic: '#', stream: 'three' },
  ]);
  assert.deepEqual(routes('a/b/c', 'd'), { stream: 'one', partitionKey: 'b:d' });
  assert.deepEqual(routes('a/b', 'd'), { stream: 'two', partitionKey: 'a/b|' });
  assert.deepEqual(routes('z', '{topic}'), { stream: 'three', partitionKey: '{topic}' });
});

test('rules that can not be meant are named by their place', () => {
  const problem = (topic: string, stream = 's', key?: string) =>
    problemOfRoutes([
      { topic: 'a', stream: 's' },
      { topic, stream, key },
    ]) ?? 'none';
  assert.equal(problem('a/+/#', 's', '{9}'), 'none');
  assert.match(problem('a/#/b'), /^routes\[1\].*follows "#"/);
  assert.match(problem('a/b+'), /stand alone/);
  assert.match(problem(''), /empty/);
  assert.match(problem('a', 'no stream'), /no name of a stream/);
  assert.match(problem('a', 's', '{device}'), /has \{device\}/);
  assert.match(problem('a/+', 's', '{3}'), /has 2 levels/);
  assert.match(problem('a', 's', ''), /key is empty/);
  assert.match(problemOfRoutes([]) ?? '', /no route/);
});

test('a topic to publish to has no wildcard', () => {
  assert.deepEqual(['a/b', '', 'a/+', '#', 'a\0'].map(isTopicName), [true, false, false, false, false]);
});
