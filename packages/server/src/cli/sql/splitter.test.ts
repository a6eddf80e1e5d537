import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createSplitter, splitStatements } from './splitter.ts';

describe('statements', () => {
  const cases: [string, string[]][] = [
    ['select 1', ['select 1']],
    ['select 1; select 2;', ['select 1', 'select 2']],
    [" ; ;; select ';' ; ", ["select ';'"]],
    ["select 'it''s; fine'; x", ["select 'it''s; fine'", 'x']],
    ['select ";" from "a""b;"; y', ['select ";" from "a""b;"', 'y']],
    ['select 1 -- no; end\n+ 2; z', ['select 1 -- no; end\n+ 2', 'z']],
    ['select /* ; /* nested; */ ; */ 3; z', ['select /* ; /* nested; */ ; */ 3', 'z']],
    ["select E'a\\';b'; z", ["select E'a\\';b'", 'z']],
    ["select date'2001-01-01\\'; z", ["select date'2001-01-01\\'", 'z']],
    ['select $$ a; b $$; z', ['select $$ a; b $$', 'z']],
    ['select $x$ a; $$ b $x$; z', ['select $x$ a; $$ b $x$', 'z']],
    ['select a$b$ ; c', ['select a$b$', 'c']],
    ['-- only a comment', []],
    ['select 1; -- the end', ['select 1']],
    // Left open: for the server to refuse.
    ['select 1; /* the end', ['select 1', '/* the end']],
    ["select 'open; ", ["select 'open;"]],
    ['', []],
  ];
  for (const [text, expected] of cases) {
    test(`of ${JSON.stringify(text)}`, () => assert.deepEqual(splitStatements(text), expected));
    test(`are the same when ${JSON.stringify(text)} comes character by character`, () => {
      const splitter = createSplitter();
      const found = text.split('').flatMap((character) => splitter.push(character));
      const last = splitter.end();
      assert.deepEqual(last === undefined ? found : [...found, last], expected);
    });
  }
});

test('a prompt knows in what the text stands', () => {
  const splitter = createSplitter();
  assert.equal(splitter.state(), 'start');
  splitter.push('select\n');
  assert.equal(splitter.state(), 'statement');
  splitter.push("'a\n");
  assert.equal(splitter.state(), 'quote');
  splitter.push("b' /* c\n");
  assert.equal(splitter.state(), 'comment');
  splitter.push('*/');
  assert.equal(splitter.state(), 'statement');
  splitter.reset();
  assert.equal(splitter.state(), 'start');
});
