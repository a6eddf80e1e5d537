/**
 * What a delivery does next, as a pure function: buffering, sealing, committing one batch at a time while the next
 * one fills, retrying, taking its positions anew, and stopping. Its table of transitions is in SPEC.md; the shell
 * (`runner.ts`) carries out the effects and reports what came of them.
 */
import { unreachable } from '../../../base/assert.ts';

/**
 * - `positioning`: the table is being opened and its positions read.
 * - `waiting`: that failed, or writing did; it is tried again after a pause.
 * - `running`: records are read, batches written and committed.
 * - `holding`: a commit failed; the same batch is committed again after a pause. Reading goes on within bounds.
 * - `unwinding`: batches were dropped while a commit is under way; its end is awaited before positions are read.
 * - `stopped`: the end.
 */
export type Phase = 'positioning' | 'waiting' | 'running' | 'holding' | 'unwinding' | 'stopped';
export const PHASES: readonly Phase[] = [
  'positioning',
  'waiting',
  'running',
  'holding',
  'unwinding',
  'stopped',
];

export interface DeliveryState {
  readonly phase: Phase;
  /** No more is read; what is buffered is delivered. */
  readonly stopping: boolean;
  /** The source is gone: what is buffered is delivered, then positions are taken anew. */
  readonly sourceLost: boolean;
  readonly open: OpenBatch;
  /** A closed batch that the writer finishes. */
  readonly sealing: boolean;
  /** A finished batch that waits for its turn to commit. */
  readonly ready: boolean;
  readonly committing: boolean;
  /** Failures in a row. */
  readonly attempt: number;
}

export interface OpenBatch {
  readonly records: number;
  readonly bytes: number;
  /** Its time or size has come. */
  readonly due: boolean;
}

export interface BatchBounds {
  readonly recordsMax: number;
  readonly bytesMax: number;
  /** A batch is due with its first record. */
  readonly immediately: boolean;
}

export type DeliveryEvent =
  | { readonly kind: 'positioned' }
  | { readonly kind: 'position-failed' }
  | { readonly kind: 'added'; readonly records: number; readonly bytes: number }
  | { readonly kind: 'due' }
  | { readonly kind: 'sealed' }
  | { readonly kind: 'writer-failed' }
  | { readonly kind: 'committed' }
  /** Another writer has these positions already: what was built on ours is void. */
  | { readonly kind: 'displaced' }
  /** `rebuild`: the batch itself may be at fault and is made anew. */
  | { readonly kind: 'commit-failed'; readonly rebuild: boolean }
  | { readonly kind: 'source-lost' }
  | { readonly kind: 'retry' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'abandon' };

export const EVENT_KINDS = [
  'positioned',
  'position-failed',
  'added',
  'due',
  'sealed',
  'writer-failed',
  'committed',
  'displaced',
  'commit-failed',
  'source-lost',
  'retry',
  'stop',
  'abandon',
] as const satisfies readonly DeliveryEvent['kind'][];

export type Effect =
  | { readonly kind: 'position' }
  | { readonly kind: 'arm-timer' }
  | { readonly kind: 'disarm-timer' }
  /** Close the open batch; records that come next open another. */
  | { readonly kind: 'seal' }
  /** Commit the finished batch. */
  | { readonly kind: 'commit' }
  /** Commit the batch that failed before. */
  | { readonly kind: 'commit-again' }
  /** Drop every batch but one that is being committed. */
  | { readonly kind: 'discard' }
  | { readonly kind: 'retry-later'; readonly attempt: number }
  | { readonly kind: 'finished' };

export interface Step {
  readonly state: DeliveryState;
  readonly effects: readonly Effect[];
}

const EMPTY: OpenBatch = { records: 0, bytes: 0, due: false };

export const INITIAL: Step = {
  state: {
    phase: 'positioning',
    stopping: false,
    sourceLost: false,
    open: EMPTY,
    sealing: false,
    ready: false,
    committing: false,
    attempt: 0,
  },
  effects: [{ kind: 'position' }],
};

/** Whether more may be read: false is the backpressure that leaves records in the stream. */
export function mayRead(state: DeliveryState, bounds: BatchBounds): boolean {
  if (state.phase !== 'running' && state.phase !== 'holding') return false;
  if (state.stopping || state.sourceLost) return false;
  return state.open.records < bounds.recordsMax && state.open.bytes < bounds.bytesMax;
}

/** An event that has no meaning in a phase (the echo of something dropped) leaves it as it is. */
export function step(state: DeliveryState, event: DeliveryEvent, bounds: BatchBounds): Step {
  if (state.phase === 'stopped') return { state, effects: [] };
  switch (event.kind) {
    case 'positioned':
      return state.phase === 'positioning' ? proceed({ ...state, phase: 'running' }, bounds) : same(state);
    case 'position-failed':
      return state.phase === 'positioning' ? wait(state, []) : same(state);
    case 'added':
      return isActive(state) ? added(state, event, bounds) : same(state);
    case 'due':
      return isActive(state) && state.open.records > 0
        ? proceed({ ...state, open: { ...state.open, due: true } }, bounds)
        : same(state);
    case 'sealed':
      return isActive(state) && state.sealing
        ? proceed({ ...state, sealing: false, ready: true }, bounds)
        : same(state);
    case 'writer-failed':
      return isActive(state) ? drop(state) : same(state);
    case 'committed':
    case 'displaced':
    case 'commit-failed':
      return state.committing ? commitEnded({ ...state, committing: false }, event, bounds) : same(state);
    case 'source-lost':
      return isActive(state)
        ? proceed({ ...state, sourceLost: true, open: { ...state.open, due: true } }, bounds)
        : same(state);
    case 'retry':
      return retry(state);
    case 'stop':
      return stop(state, bounds);
    case 'abandon':
      return finish(state);
    default:
      return unreachable(event);
  }
}

function added(
  state: DeliveryState,
  { records, bytes }: { records: number; bytes: number },
  bounds: BatchBounds,
): Step {
  const first = state.open.records === 0;
  const open = {
    records: state.open.records + records,
    bytes: state.open.bytes + bytes,
    due: state.open.due,
  };
  const due =
    open.due ||
    bounds.immediately ||
    state.stopping ||
    state.sourceLost ||
    isFull({ ...state, open }, bounds);
  const next = proceed({ ...state, open: { ...open, due } }, bounds);
  const arm: Effect[] = first && !due ? [{ kind: 'arm-timer' }] : [];
  return { state: next.state, effects: [...arm, ...next.effects] };
}

function commitEnded(
  state: DeliveryState,
  event: Extract<DeliveryEvent, { kind: 'committed' | 'displaced' | 'commit-failed' }>,
  bounds: BatchBounds,
): Step {
  if (state.phase === 'unwinding') {
    if (state.stopping) return finish(state);
    return {
      state: { ...state, phase: 'waiting' },
      effects: [{ kind: 'retry-later', attempt: state.attempt }],
    };
  }
  if (event.kind === 'committed') return proceed({ ...state, attempt: 0 }, bounds);
  if (event.kind === 'displaced') return drop(state);
  if (event.rebuild) return drop(state);
  const attempt = state.attempt + 1;
  return { state: { ...state, phase: 'holding', attempt }, effects: [{ kind: 'retry-later', attempt }] };
}

function retry(state: DeliveryState): Step {
  if (state.phase === 'waiting')
    return { state: { ...state, phase: 'positioning' }, effects: [{ kind: 'position' }] };
  if (state.phase !== 'holding') return same(state);
  return { state: { ...state, phase: 'running', committing: true }, effects: [{ kind: 'commit-again' }] };
}

function stop(state: DeliveryState, bounds: BatchBounds): Step {
  const stopping = { ...state, stopping: true };
  if (state.phase === 'positioning' || state.phase === 'waiting') return finish(stopping);
  if (state.phase === 'unwinding') return same(stopping);
  return proceed({ ...stopping, open: { ...state.open, due: state.open.records > 0 } }, bounds);
}

/** Does what the state allows: commits what is ready, closes what is due, ends what is done. */
function proceed(given: DeliveryState, bounds: BatchBounds): Step {
  let state = given;
  const effects: Effect[] = [];
  if (state.phase === 'running' && state.ready && !state.committing) {
    state = { ...state, ready: false, committing: true };
    effects.push({ kind: 'commit' });
  }
  // While a commit is under way a batch that isn't full goes on filling: fewer, larger commits.
  const sealable = !state.sealing && !state.ready && (!isCommitting(state) || isFull(state, bounds));
  if (state.open.due && state.open.records > 0 && sealable) {
    state = { ...state, open: EMPTY, sealing: true };
    effects.push({ kind: 'disarm-timer' }, { kind: 'seal' });
  }
  const idle = state.open.records === 0 && !state.sealing && !state.ready && !isCommitting(state);
  if (idle && state.stopping) return { ...finish(state), effects: [...effects, { kind: 'finished' }] };
  if (idle && state.sourceLost) return wait(state, effects);
  return { state, effects };
}

/** Drops what isn't being committed, and takes positions anew after a pause. */
function drop(state: DeliveryState): Step {
  const effects: Effect[] = [{ kind: 'disarm-timer' }, { kind: 'discard' }];
  const dropped = { ...state, sourceLost: false, open: EMPTY, sealing: false, ready: false };
  if (state.committing)
    return { state: { ...dropped, phase: 'unwinding', attempt: state.attempt + 1 }, effects };
  if (state.stopping) return { ...finish(dropped), effects: [...effects, { kind: 'finished' }] };
  return wait(dropped, effects);
}

function wait(state: DeliveryState, effects: readonly Effect[]): Step {
  const attempt = state.attempt + 1;
  return {
    state: { ...state, phase: 'waiting', sourceLost: false, attempt },
    effects: [...effects, { kind: 'retry-later', attempt }],
  };
}

function finish(state: DeliveryState): Step {
  return {
    state: { ...state, phase: 'stopped', open: EMPTY, sealing: false, ready: false, committing: false },
    effects: [{ kind: 'finished' }],
  };
}

function same(state: DeliveryState): Step {
  return { state, effects: [] };
}

function isActive({ phase }: DeliveryState): boolean {
  return phase === 'running' || phase === 'holding';
}

/** A batch whose commit is to be repeated counts as one that is being committed. */
function isCommitting({ committing, phase }: DeliveryState): boolean {
  return committing || phase === 'holding';
}

function isFull({ open }: DeliveryState, bounds: BatchBounds): boolean {
  return open.records >= bounds.recordsMax || open.bytes >= bounds.bytesMax;
}
