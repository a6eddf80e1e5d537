/** Which messages go to which stream: topic filters as subscriptions have them (MQTT 5.0, 4.7), in the order given. */

export interface Route {
  /** A topic filter: `+` stands for one level, `#` at the end for any number of them. */
  readonly topic: string;
  readonly stream: string;
  /**
   * The partition key: text with `{clientId}`, `{topic}` and `{1}`, `{2}` … for the levels of the topic.
   * `{clientId}` when it is left out.
   */
  readonly key?: string | undefined;
}

export interface Destination {
  readonly stream: string;
  readonly partitionKey: string;
}

export type Routes = (topic: string, clientId: string) => Destination | undefined;

export const ROUTES_MAX = 1_000;
const TOPIC_LENGTH_MAX = 65_535;
const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/;
/** Characters, as Kinesis counts them. */
export const PARTITION_KEY_LENGTH_MAX = 256;

/** What is wrong with the rules, naming the rule by its place; undefined for good ones. */
export function problemOfRoutes(routes: readonly Route[]): string | undefined {
  if (routes.length === 0) return 'there is no route: a listener without one takes no message';
  if (routes.length > ROUTES_MAX) return `there are ${routes.length} routes, more than ${ROUTES_MAX}`;
  for (const [at, { topic, stream, key = '{clientId}' }] of routes.entries()) {
    const problem = problemOfFilter(topic) ?? problemOfStream(stream) ?? problemOfKey(key, topic);
    if (problem !== undefined) return `routes[${at}]: ${problem}`;
  }
  return undefined;
}

/** The first rule that a topic meets says where its message goes; undefined when there is none. */
export function compileRoutes(routes: readonly Route[]): Routes {
  const compiled = routes.map(({ topic, stream, key = '{clientId}' }) => ({
    filter: topic.split('/'),
    stream,
    key: compileKey(key),
  }));
  return (topic, clientId) => {
    const levels = topic.split('/');
    for (const { filter, stream, key } of compiled)
      if (meets(levels, filter)) return { stream, partitionKey: key({ topic, levels, clientId }) };
    return undefined;
  };
}

/** Whether a client may publish to it at all (MQTT 5.0, 4.7.1 and 4.7.3). */
export function isTopicName(topic: string): boolean {
  return topic !== '' && topic.length <= TOPIC_LENGTH_MAX && !/[+#\0]/.test(topic);
}

function meets(levels: readonly string[], filter: readonly string[]): boolean {
  // Topics of the server's own aren't met by wildcards at the beginning (MQTT 5.0, 4.7.2).
  if (levels[0]!.startsWith('$') && (filter[0] === '#' || filter[0] === '+')) return false;
  for (const [at, part] of filter.entries()) {
    if (part === '#') return true;
    if (at >= levels.length || (part !== '+' && part !== levels[at])) return false;
  }
  return filter.length === levels.length;
}

interface KeyParts {
  readonly topic: string;
  readonly levels: readonly string[];
  readonly clientId: string;
}

function compileKey(template: string): (parts: KeyParts) => string {
  return ({ topic, levels, clientId }) =>
    template.replaceAll(/\{(clientId|topic|[1-9]\d*)\}/g, (_, name: string) => {
      if (name === 'clientId') return clientId;
      return name === 'topic' ? topic : (levels[Number(name) - 1] ?? '');
    });
}

function problemOfFilter(topic: string): string | undefined {
  const levels = topic.split('/');
  if (topic === '' || topic.length > TOPIC_LENGTH_MAX) return 'its topic is empty or too long';
  if (levels.slice(0, -1).includes('#')) return `in the topic "${topic}" a level follows "#"`;
  if (levels.some((level) => level.length > 1 && /[+#]/.test(level)))
    return `in the topic "${topic}" a wildcard shares its level: "+" and "#" stand alone between slashes`;
  return undefined;
}

function problemOfStream(stream: string): string | undefined {
  return STREAM_NAME.test(stream) ? undefined : `"${stream}" is no name of a stream`;
}

function problemOfKey(key: string, topic: string): string | undefined {
  if (key === '') return 'its key is empty';
  const levels = topic.endsWith('#') ? Infinity : topic.split('/').length;
  for (const [placeholder, name] of key.matchAll(/\{([^{}]*)\}/g)) {
    if (name === 'clientId' || name === 'topic') continue;
    if (!/^[1-9]\d*$/.test(name!))
      return `its key has ${placeholder}; there are {clientId}, {topic}, {1}, {2} …`;
    if (Number(name) > levels) return `its key has ${placeholder}, and "${topic}" has ${levels} levels`;
  }
  return undefined;
}
