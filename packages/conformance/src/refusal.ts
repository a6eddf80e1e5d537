import assert from 'node:assert/strict';

/** The error that a call of the SDK is answered with, by its name and, where it is given, its message. */
export async function refusedWith(call: Promise<unknown>, name: string, message?: RegExp): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof Error);
    assert.equal(error.name, name, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

/** Resolves with the first value that is not undefined; rejects when there is none in time. */
export async function eventually<Value>(
  attempt: () => Promise<Value | undefined>,
  what: string,
  withinMs = 30_000,
): Promise<Value> {
  const endMs = Date.now() + withinMs;
  for (;;) {
    const value = await attempt();
    if (value !== undefined) return value;
    if (Date.now() > endMs) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
