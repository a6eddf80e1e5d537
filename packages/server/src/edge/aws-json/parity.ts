import type { AwsService, Operation } from './service.ts';
import type { Shape } from './shapes.ts';

/** What this version does with one member: as the real service, not at all, or otherwise. */
export type MemberParity = 'supported' | { readonly refused: string } | { readonly different: string };

export interface ServiceParity {
  readonly service: string;
  readonly operations: Readonly<
    Record<
      string,
      | { readonly status: 'supported'; readonly members: Readonly<Record<string, MemberParity>> }
      | { readonly status: 'refused' }
    >
  >;
}

/** Every operation of the service, by name, with every member of its input by its path. */
export function serviceParity(service: AwsService): ServiceParity {
  const supported = Object.entries(service.operations).map(
    ([name, operation]) => [name, { status: 'supported', members: memberParity(operation) }] as const,
  );
  const refused = service.unsupported.map((name) => [name, { status: 'refused' }] as const);
  return { service: service.name, operations: Object.fromEntries([...supported, ...refused].sort(byName)) };
}

function memberParity({ input, refused = {}, different = {} }: Operation): Record<string, MemberParity> {
  const members = new Map<string, MemberParity>();
  for (const path of pathsOf(input, '')) members.set(path, 'supported');
  for (const [path, how] of Object.entries(different)) members.set(path, { different: how });
  for (const [path, why] of Object.entries(refused)) members.set(path, { refused: why });
  return Object.fromEntries([...members].sort(byName));
}

function* pathsOf(shape: Shape, path: string): Generator<string> {
  if (shape.kind === 'list') yield* pathsOf(shape.of, path);
  if (shape.kind === 'map') yield* pathsOf(shape.value, path);
  if (shape.kind !== 'structure') return;
  for (const [name, member] of Object.entries(shape.members)) {
    const at = path === '' ? name : `${path}.${name}`;
    yield at;
    yield* pathsOf(member.shape, at);
  }
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;
