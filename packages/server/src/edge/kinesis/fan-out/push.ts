/** One subscription as the messages of its answer. */
import { PlatformError } from '../../../base/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Subscription } from '../../../modules/streams/index.ts';
import type { Wire } from '../../aws-json/index.ts';
import { mapStreamsError } from '../errors.ts';
import { message, messageHeaders } from './event-stream.ts';
import { eventHeaders } from './shard-event.ts';
import type { ShardEvents } from './shard-events.ts';

export interface Push {
  readonly subscription: Subscription;
  readonly events: ShardEvents;
  readonly wire: Wire;
  readonly clock: Clock;
  /** The shards that go on with the closed one, in the protocol's form. */
  readonly children: () => readonly object[];
  /** What is said to a client whose subscription ended before its time. */
  readonly refusals: { readonly takenOver: string; readonly gone: string };
  readonly onFailure: (error: unknown) => void;
}

const NO_TIMESTAMPS: ReadonlySet<string> = new Set();

/**
 * The initial response, then events as records are committed, until the subscription ends. At most one event is made
 * ahead of what the client's connection takes. What fails after the head is told by an exception in the stream, never
 * by an error of the generator.
 */
export async function* push(work: Push): AsyncGenerator<Uint8Array, void, undefined> {
  const { subscription, wire } = work;
  const headers = messageHeaders({
    ':event-type': 'initial-response',
    ':content-type': wire.contentType,
    ':message-type': 'event',
  });
  yield message(headers, wire.encode({}, NO_TIMESTAMPS));
  try {
    yield* pushRecords(work);
  } catch (error) {
    const gone = error instanceof PlatformError && error.code === 'shard-not-found';
    if (!gone) work.onFailure(error);
    // An end that was under way says more than what it broke.
    if (subscription.ended === undefined) {
      yield gone ? exception(wire, 'ResourceNotFoundException', work.refusals.gone) : failure(wire, error);
      return;
    }
  }
  if (subscription.ended === 'taken-over')
    yield exception(wire, 'ResourceInUseException', work.refusals.takenOver);
  if (subscription.ended === 'deregistered')
    yield exception(wire, 'ResourceNotFoundException', work.refusals.gone);
}

async function* pushRecords(work: Push): AsyncGenerator<Uint8Array, void, undefined> {
  const { subscription, events, clock } = work;
  const { shard } = subscription;
  const isOver = (): boolean => subscription.ended !== undefined;
  let offset = subscription.offset;
  while (!isOver()) {
    const { tailOffset } = subscription;
    if (offset < tailOffset) {
      const event = await events.at(shard, offset, tailOffset);
      await subscription.pace();
      if (isOver()) return;
      const { nextOffset, dataBytes: bytes, arrivalMs = clock.nowMs() } = event;
      const isBehind = nextOffset < subscription.tailOffset;
      const behindMs = isBehind ? Math.max(0, clock.nowMs() - arrivalMs) : 0;
      subscription.sent({ nextOffset, bytes, arrivalMs });
      offset = nextOffset;
      yield* event.chunks(behindMs);
    } else if (subscription.endsAt(offset)) {
      const children = work.children();
      if (children.length === 0) {
        yield exception(work.wire, 'ResourceNotFoundException', work.refusals.gone);
      } else {
        const end = { Records: [], MillisBehindLatest: 0, ChildShards: children };
        yield message(eventHeaders(work.wire.contentType), work.wire.encode(end, NO_TIMESTAMPS));
      }
      return;
    } else if ((await subscription.wait(offset)) === 'idle') {
      subscription.sent({ nextOffset: offset, bytes: 0 });
      yield* events.empty(shard, offset).chunks(0);
    }
  }
}

/** The stream of events has exceptions for keys that can't be used; all else is a fault of the server. */
function failure(wire: Wire, error: unknown): Buffer {
  const known = mapStreamsError(error);
  return known?.type.startsWith('KMS') === true
    ? exception(wire, known.type, known.message)
    : exception(
        wire,
        'InternalFailureException',
        'The subscription failed inside Sluice. The server has logged the cause.',
      );
}

function exception(wire: Wire, type: string, text: string): Buffer {
  const headers = messageHeaders({
    ':exception-type': type,
    ':content-type': wire.contentType,
    ':message-type': 'exception',
  });
  return message(headers, wire.encode({ message: text }, NO_TIMESTAMPS));
}
