import type { AwsService, Operation } from './service.ts';
import type { Shape } from './shapes.ts';

/** What this version does with one member: as the real service, not at all, or otherwise. */
export type MemberParity = 'supported' | { readonly refused: string } | { readonly different: string };

export interface ServiceParity {
  readonly service: string;
  /** How requests and answers are carried. */
  readonly wire: Readonly<Record<string, MemberParity>>;
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
  return {
    service: service.name,
    wire: wireParity(service),
    operations: Object.fromEntries([...supported, ...refused].sort(byName)),
  };
}

function wireParity({ speaksCbor = false }: AwsService): Record<string, MemberParity> {
  const beyondModel = {
    different:
      'taken and answered as the SDKs write it; the model of the real service names AWS JSON 1.1 alone',
  };
  return {
    'AWS JSON 1.1': 'supported',
    'AWS JSON 1.0': beyondModel,
    'AWS CBOR 1.1': speaksCbor ? 'supported' : beyondModel,
    'Smithy RPC v2 CBOR': beyondModel,
    'CBOR values': {
      different:
        'a byte string is taken for a blob alone, and a timestamp has to have the tag 1; other tags, a member that is there twice, more than 64 levels and more than 1,000,000 values are refused with SerializationException',
    },
    'HTTP/1.1': 'supported',
    'HTTP/2': { different: 'with prior knowledge on the port of HTTP/1.1; TLS ends in front of Sluice' },
    'Content-Encoding: gzip': 'supported',
    'x-amzn-RequestId': 'supported',
    'x-amzn-ErrorType': { different: 'in the answer of every error, beside __type in its body' },
    'x-amz-crc32': {
      different: 'in answers of up to 16 KiB, of the body as it is sent; larger ones have none, as on AWS',
    },
    'x-amzn-query-error': { refused: 'never sent: no operation comes from an AWS Query protocol' },
    'methods other than POST': {
      different: 'answered 403 AccessDeniedException as on AWS, with a body in JSON instead of XML',
    },
    CORS: { refused: 'no header allows pages of other origins to read an answer' },
  };
}

function memberParity({ input, refused = {}, different = {} }: Operation): Record<string, MemberParity> {
  const members = new Map<string, MemberParity>();
  for (const path of pathsOf(input, '')) members.set(path, 'supported');
  for (const [path, how] of Object.entries(different)) members.set(path, { different: how });
  for (const [path, why] of Object.entries(refused)) members.set(path, { refused: why });
  return Object.fromEntries([...members].sort(byName));
}

/** Members of a shape by their paths, without positions in lists. */
export function* pathsOf(shape: Shape, path: string): Generator<string> {
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
