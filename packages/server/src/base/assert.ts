/**
 * Throws when a broken invariant is found. Assertions stay on in production: a role that finds its own state
 * impossible must stop and be restarted rather than go on and acknowledge what it can't keep.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** Marks code that the types say can't run; the compiler refuses a call that is reachable. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${String(value)}`);
}

/** A broken invariant of Sluice itself; never the answer to bad input. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}
