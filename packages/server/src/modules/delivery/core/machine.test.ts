import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EVENT_KINDS,
  INITIAL,
  mayRead,
  PHASES,
  step,
  type BatchBounds,
  type DeliveryEvent,
  type DeliveryState,
  type Phase,
} from './machine.ts';

const BOUNDS: BatchBounds = { recordsMax: 4, bytesMax: 40, immediately: false };
const EVENTS: readonly DeliveryEvent[] = [
  ...EVENT_KINDS.filter((kind) => kind !== 'added' && kind !== 'commit-failed').map((kind) => ({ kind })),
  { kind: 'added', records: 1, bytes: 10 },
  { kind: 'added', records: 4, bytes: 40 },
  { kind: 'commit-failed', rebuild: false },
  { kind: 'commit-failed', rebuild: true },
];
const ATTEMPTS_EXPLORED = 3;

/** Every state that any order of events leads to, with the ways out of each. */
function explore(
  bounds: BatchBounds,
): { state: DeliveryState; event: DeliveryEvent; next: DeliveryState; effects: string[] }[] {
  const known = new Map([[JSON.stringify(INITIAL.state), INITIAL.state]]);
  const moves = [];
  for (const [, state] of known) {
    for (const event of EVENTS) {
      if (event.kind === 'added' && !mayRead(state, bounds)) continue;
      const { state: next, effects } = step(state, event, bounds);
      moves.push({ state, event, next, effects: effects.map((effect) => effect.kind) });
      if (next.attempt <= ATTEMPTS_EXPLORED && next.open.records <= 8) known.set(JSON.stringify(next), next);
    }
  }
  return moves;
}

const MOVES = [...explore(BOUNDS), ...explore({ ...BOUNDS, immediately: true })];

/** Phases that each event can lead to from each phase: the table of SPEC.md, complete by its type. */
const TABLE: Readonly<Record<Phase, Readonly<Partial<Record<DeliveryEvent['kind'], readonly Phase[]>>>>> = {
  positioning: {
    positioned: ['running'],
    'position-failed': ['waiting'],
    stop: ['stopped'],
    abandon: ['stopped'],
  },
  waiting: { retry: ['positioning'], stop: ['stopped'], abandon: ['stopped'] },
  running: {
    'writer-failed': ['running', 'waiting', 'unwinding', 'stopped'],
    committed: ['running', 'waiting', 'stopped'],
    displaced: ['running', 'waiting', 'stopped'],
    'commit-failed': ['running', 'holding', 'waiting', 'stopped'],
    'source-lost': ['running', 'waiting'],
    stop: ['running', 'stopped'],
    abandon: ['stopped'],
  },
  holding: {
    'writer-failed': ['waiting', 'stopped'],
    retry: ['running'],
    abandon: ['stopped'],
  },
  unwinding: {
    committed: ['waiting', 'stopped'],
    displaced: ['waiting', 'stopped'],
    'commit-failed': ['waiting', 'stopped'],
    abandon: ['stopped'],
  },
  stopped: {},
};

test('the table of transitions is total and exact', () => {
  const seen = new Map<string, Set<Phase>>();
  for (const { state, event, next } of MOVES) {
    const key = `${state.phase} ${event.kind}`;
    seen.set(key, (seen.get(key) ?? new Set()).add(next.phase));
  }
  for (const phase of PHASES) {
    for (const kind of EVENT_KINDS) {
      const reached = seen.get(`${phase} ${kind}`);
      if (kind === 'added' && reached === undefined) continue;
      assert.ok(reached !== undefined, `${phase} never met ${kind}`);
      const allowed = TABLE[phase][kind] ?? [phase];
      for (const next of reached) assert.ok(allowed.includes(next), `${phase} on ${kind} went to ${next}`);
      for (const next of allowed)
        if (next !== phase) assert.ok(reached.has(next), `${phase} on ${kind} never goes to ${next}`);
    }
  }
});

test('D2: a commit begins only when none is under way or held back', () => {
  for (const { state, event, next, effects } of MOVES) {
    const begins = effects.filter((effect) => effect === 'commit' || effect === 'commit-again').length;
    assert.ok(begins <= 1);
    if (begins === 0) continue;
    assert.ok(next.committing);
    const ended = ['committed', 'displaced', 'commit-failed'].includes(event.kind);
    assert.ok(!state.committing || ended, `${JSON.stringify(state)} on ${event.kind}`);
    if (effects.includes('commit')) assert.notEqual(state.phase, 'holding');
  }
});

test('positions are never taken while a commit is under way, and only with nothing buffered', () => {
  for (const { next, effects } of MOVES) {
    if (!effects.includes('position')) continue;
    assert.ok(
      !next.committing && !next.sealing && !next.ready && next.open.records === 0,
      JSON.stringify(next),
    );
  }
});

test('a batch is sealed only when the one before it is out of the way', () => {
  for (const { state, effects } of MOVES)
    if (effects.includes('seal')) assert.ok(!(state.sealing && state.ready), JSON.stringify(state));
  for (const { next } of MOVES) assert.ok(!(next.sealing && next.ready));
});

test('nothing waits for ever: every state that is not stopped has work under way, a timer, or may read', () => {
  for (const { state, event, next, effects } of MOVES) {
    if (next.phase === 'stopped') continue;
    const underWay = next.committing || next.sealing || next.phase === 'positioning';
    const retries = next.phase === 'waiting' || next.phase === 'holding';
    const reads = mayRead(next, BOUNDS) || (next.open.records > 0 && !next.open.due);
    assert.ok(
      underWay || retries || reads,
      `${JSON.stringify(state)} on ${event.kind} → ${JSON.stringify(next)}`,
    );
    const entered = retries && (next.phase !== state.phase || next.attempt !== state.attempt);
    if (entered) assert.ok(effects.includes('retry-later'), `${JSON.stringify(state)} on ${event.kind}`);
  }
});

test('the first record of a batch starts its time unless it is due at once', () => {
  for (const { state, event, next, effects } of MOVES)
    if (event.kind === 'added' && state.open.records === 0 && next.open.records > 0 && !next.open.due)
      assert.ok(effects.includes('arm-timer'));
});

test('while a commit is under way a batch that is not full goes on filling', () => {
  const committing: DeliveryState = { ...INITIAL.state, phase: 'running', committing: true };
  const bounds = { ...BOUNDS, immediately: true };
  const one = step(committing, { kind: 'added', records: 1, bytes: 1 }, bounds);
  assert.deepEqual(one.effects, []);
  assert.ok(mayRead(one.state, bounds));
  const full = step(one.state, { kind: 'added', records: 3, bytes: 3 }, bounds);
  assert.deepEqual(
    full.effects.map((effect) => effect.kind),
    ['disarm-timer', 'seal'],
  );
});

test('stopping delivers what is buffered and then ends', () => {
  let { state } = step(INITIAL.state, { kind: 'positioned' }, BOUNDS);
  const kinds: string[] = [];
  for (const event of [
    { kind: 'added', records: 1, bytes: 1 },
    { kind: 'stop' },
    { kind: 'sealed' },
    { kind: 'commit-failed', rebuild: false },
    { kind: 'retry' },
    { kind: 'committed' },
  ] as const) {
    const next = step(state, event, BOUNDS);
    state = next.state;
    kinds.push(...next.effects.map((effect) => effect.kind));
  }
  assert.deepEqual(kinds, [
    'arm-timer',
    'disarm-timer',
    'seal',
    'commit',
    'retry-later',
    'commit-again',
    'finished',
  ]);
  assert.equal(state.phase, 'stopped');
});
