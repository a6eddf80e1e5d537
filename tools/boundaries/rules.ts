/**
 * Which folder may import which, as CONTRIBUTING.md states it. `from` and `to` are patterns on paths relative to the
 * repository; they are not anchored at its root, so that the planted tree is judged by the very same rules.
 */
const server = (folder: string) => `packages/server/src/${folder}`;

/** Modules in their one declared order: a later one may enter an earlier one, by its index only. */
export const MODULE_ORDER = ['identity', 'catalog', 'streams', 'query', 'delivery'] as const;

const orderRules = MODULE_ORDER.slice(0, -1).map((module, position) => ({
  name: `module-order-${module}`,
  severity: 'error',
  from: { path: server(`modules/${module}/`) },
  to: { path: server(`modules/(${MODULE_ORDER.slice(position + 1).join('|')})/`) },
}));

/** Each engine's package and the only places that import it. */
const ENGINES: Readonly<Record<string, string>> = {
  '@duckdb/node-api': `packages/delta/src/duckdb/|${server('adapters/duckdb-sql/')}|${server('cli/demo/')}|packages/server/bench/|\\.test\\.ts$|/testing/`,
  '@aws-sdk/client-s3': `packages/delta/src/s3/|packages/delta/test/|packages/conformance/|\\.test\\.ts$`,
  kysely: `${server('adapters/sqlite/')}|${server('ports/meta-store')}|${server('modules/[^/]+/(store|.*-store|.*store.*|tables|.*registry.*|.*migrations.*)[^/]*\\.ts$')}`,
  pino: server('adapters/pino/'),
  'prom-client': server('adapters/prometheus/'),
  ajv: server('edge/aws-json/'),
  zod: `${server('app/')}|${server('cli/agent/')}`,
  'mqtt-packet': `${server('edge/mqtt/')}|\\.test\\.ts$`,
  commander: server('cli/'),
};

const engineRules = Object.entries(ENGINES).map(([name, allowed]) => ({
  name: `engine-${name
    .replace(/[^a-z]+/g, ' ')
    .trim()
    .replaceAll(' ', '-')}`,
  severity: 'error',
  from: { path: 'packages/', pathNot: allowed },
  to: { path: `node_modules/${name}/` },
}));

const TEST =
  '(\\.test\\.ts|\\.contract\\.ts|\\.sim\\.ts)$|/testing/|packages/server/(sim|bench|test)/|packages/sdk/test/';

export const RULES = [
  {
    name: 'no-circles',
    severity: 'error',
    from: { path: 'packages/' },
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
  {
    name: 'base-imports-nothing',
    severity: 'error',
    from: { path: server('base/'), pathNot: TEST },
    to: { path: 'packages/', pathNot: server('base/') },
  },
  {
    name: 'ports-know-base',
    severity: 'error',
    from: { path: server('ports/'), pathNot: TEST },
    to: { path: 'packages/server/', pathNot: server('(base|ports)/') },
  },
  {
    name: 'modules-know-ports',
    severity: 'error',
    from: { path: server('modules/'), pathNot: TEST },
    to: { path: server('(adapters|edge|app|cli)/') },
  },
  {
    name: 'modules-have-one-door',
    severity: 'error',
    from: { path: server('([^/]+)/([^/]+)/'), pathNot: TEST },
    to: {
      path: server('modules/([^/]+)/'),
      pathNot: [server('modules/[^/]+/index\\.ts$'), server('$1/$2/')],
    },
  },
  {
    name: 'edges-know-modules',
    severity: 'error',
    from: { path: server('edge/'), pathNot: TEST },
    to: { path: server('(adapters|app|cli)/') },
  },
  {
    name: 'edges-ignore-edges',
    severity: 'error',
    from: { path: server('edge/(kinesis|firehose|glue|athena|mqtt)/'), pathNot: TEST },
    to: { path: server('edge/'), pathNot: server('edge/($1|aws-json|aws-cbor)/') },
  },
  {
    name: 'adapters-ignore-adapters',
    severity: 'error',
    from: { path: server('adapters/([^/]+)/'), pathNot: TEST },
    // The simulated disk is part of the simulated world.
    to: { path: server('adapters/'), pathNot: [server('adapters/$1/'), server('adapters/sim/')] },
  },
  {
    name: 'adapters-know-ports',
    severity: 'error',
    from: { path: server('adapters/'), pathNot: TEST },
    to: { path: server('(edge|app|cli)/') },
  },
  {
    name: 'cli-knows-app',
    severity: 'error',
    from: { path: server('cli/'), pathNot: TEST },
    to: { path: server('(adapters|edge|modules|ports)/'), dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'delta-knows-no-server',
    severity: 'error',
    from: { path: 'packages/delta/' },
    to: { path: 'packages/(server|conformance)/' },
  },
  {
    name: 'sdk-knows-no-server',
    severity: 'error',
    from: { path: 'packages/sdk/' },
    to: { path: 'packages/(server|conformance|delta)/' },
  },
  {
    name: 'conformance-knows-no-server',
    severity: 'error',
    from: { path: 'packages/conformance/' },
    to: { path: 'packages/(server|delta)/' },
  },
  {
    name: 'modules-touch-no-system',
    severity: 'error',
    from: { path: server('modules/'), pathNot: TEST },
    to: {
      path: '^(node:)?(fs|fs/promises|timers|timers/promises|net|http|http2|child_process|worker_threads|sqlite)$',
    },
  },
  {
    name: 'sqlite-has-its-adapters',
    severity: 'error',
    from: {
      path: 'packages/',
      pathNot: `${server('adapters/(sqlite|process-lock)/')}|packages/sdk/src/consumer/leases/|${TEST}`,
    },
    to: { path: '^(node:)?sqlite$' },
  },
  {
    name: 'production-knows-no-tests',
    severity: 'error',
    from: { path: 'packages/', pathNot: TEST },
    to: { path: TEST },
  },
  ...orderRules,
  ...engineRules,
];
