import { compileGate, type Gate } from './schema.ts';
import { AwsError, type AwsService, type Operation } from './service.ts';
import type { Shape } from './shapes.ts';
import { findings } from './findings.ts';

/** What a body may hold, judged by its text: true where it may, false only where it certainly doesn't. */
export interface Seen {
  readonly nulls: boolean;
  /** Escapes that may be unpaired surrogates. */
  readonly surrogates: boolean;
}

/**
 * The check of one operation's input against its shape. Compiled at the first call.
 */
export class InputCheck {
  readonly #service: AwsService;
  readonly #name: string;
  readonly #operation: Operation;
  #gate: Gate | undefined;

  constructor(service: AwsService, name: string, operation: Operation) {
    this.#service = service;
    this.#name = name;
    this.#operation = operation;
  }

  /** Throws the refusal; leaves out null members in place. Gives false when the operation's own cheap test decided. */
  check(input: unknown, seen: Seen): boolean {
    const { certainlyValid } = this.#operation;
    if (certainlyValid !== undefined && !seen.surrogates && isObject(input) && certainlyValid(input))
      return false;
    if (seen.nulls) dropNulls(this.#operation.input, input);
    if (!this.accepts(input)) throw this.refusal(input);
    return true;
  }

  accepts(input: unknown): boolean {
    this.#gate ??= compileGate(this.#operation.input);
    return this.#gate(input);
  }

  /** Why the shape refuses `input`. */
  refusal(input: unknown): AwsError {
    const { unreadable, unknown, broken } = findings(this.#operation.input, input);
    if (unreadable !== undefined) return new AwsError('SerializationException', unreadable);
    if (unknown !== undefined) return this.#unknownMember(unknown);
    const count = broken.length;
    return new AwsError(
      this.#service.validationError,
      `${count} validation error${count === 1 ? '' : 's'} detected: ${broken.join('; ')}`,
    );
  }

  #unknownMember(path: string): AwsError {
    const { refused = {} } = this.#operation;
    if (Object.hasOwn(refused, path)) {
      return new AwsError(
        this.#service.unsupportedError,
        `${path} of ${this.#name} is not supported by this version of Sluice: ${refused[path]}`,
      );
    }
    return new AwsError(
      this.#service.validationError,
      `${path.slice(0, 256)} is not a member of the input of ${this.#name}. Sluice refuses what it would have to ignore.`,
    );
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A null member is an absent one. Nulls in lists and maps stay, for the shape to refuse. */
function dropNulls(shape: Shape, value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (shape.kind === 'list' && Array.isArray(value)) {
    for (const item of value) dropNulls(shape.of, item);
  } else if (shape.kind === 'map') {
    for (const item of Object.values(value)) dropNulls(shape.value, item);
  } else if (shape.kind === 'structure' && !Array.isArray(value)) {
    const members = value as Record<string, unknown>;
    for (const key of Object.keys(members)) {
      if (members[key] === null) delete members[key];
      else if (Object.hasOwn(shape.members, key)) dropNulls(shape.members[key]!.shape, members[key]);
    }
  }
}
