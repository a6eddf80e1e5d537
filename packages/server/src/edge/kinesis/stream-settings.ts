/** What a stream is told to be besides its shards, and what the account has and may have. */
import type { Clock } from '../../ports/clock.ts';
import type { StreamChange, StreamDescription, Streams } from '../../modules/streams/index.ts';
import type { RequestContext } from '../aws-json/index.ts';
import { MODE_CHANGES_PER_DAY_MAX, type AwsLimits } from './aws-limits.ts';
import { ACCOUNT_ID, invalid, limitExceeded } from './errors.ts';
import type {
  AccountSettingsInput,
  MonitoringInput,
  StreamInput,
  UpdateMaxRecordSizeInput,
  UpdateStreamModeInput,
} from './inputs.ts';
import { arnOf, describeActive, foundLater, nameOf } from './names.ts';

const DAY_MS = 24 * 3_600_000;
const ALL_METRICS = [
  'IncomingBytes',
  'IncomingRecords',
  'OutgoingBytes',
  'OutgoingRecords',
  'WriteProvisionedThroughputExceeded',
  'ReadProvisionedThroughputExceeded',
  'IteratorAgeMilliseconds',
];

export class StreamSettings {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #limits: AwsLimits;

  constructor(streams: Streams, clock: Clock, limits: AwsLimits) {
    this.#streams = streams;
    this.#clock = clock;
    this.#limits = limits;
  }

  readonly setMode = async (input: UpdateStreamModeInput): Promise<object> => {
    const { name, settings } = this.#active({ StreamARN: input.StreamARN });
    if (this.#limits === 'aws') {
      const dayAgoMs = this.#clock.nowMs() - DAY_MS;
      const changes = settings.modeChangesMs.filter((atMs) => atMs > dayAgoMs).length;
      if (changes >= MODE_CHANGES_PER_DAY_MAX)
        throw limitExceeded(
          `The mode of stream ${name} under account ${ACCOUNT_ID} was changed ${changes} times in the past 24 hours. Limit: ${MODE_CHANGES_PER_DAY_MAX}.`,
        );
    }
    await this.#configure(name, { mode: input.StreamModeDetails.StreamMode });
    return {};
  };

  readonly setRecordSize = async (input: UpdateMaxRecordSizeInput): Promise<object> => {
    const { name } = this.#active(input);
    await this.#configure(name, { recordBytesMax: input.MaxRecordSizeInKiB * 1024 });
    return {};
  };

  readonly enableMonitoring = (input: MonitoringInput, context: RequestContext): Promise<object> => {
    return this.#monitor(input, context, (current, named) =>
      ALL_METRICS.filter((metric) => current.includes(metric) || named.includes(metric)),
    );
  };

  readonly disableMonitoring = (input: MonitoringInput, context: RequestContext): Promise<object> => {
    return this.#monitor(input, context, (current, named) =>
      current.filter((metric) => !named.includes(metric)),
    );
  };

  readonly describeLimits = async (): Promise<object> => {
    const { openShards, openShardsMax, onDemandStreams, streamsMax } = this.#streams.totals();
    return {
      ShardLimit: openShardsMax,
      OpenShardCount: openShards,
      OnDemandStreamCount: onDemandStreams,
      OnDemandStreamCountLimit: streamsMax,
    };
  };

  readonly describeAccount = async (): Promise<object> => ({
    MinimumThroughputBillingCommitment: { Status: 'DISABLED' },
  });

  readonly updateAccount = (input: AccountSettingsInput): Promise<object> => {
    if (input.MinimumThroughputBillingCommitment.Status !== 'DISABLED')
      throw invalid(
        'MinimumThroughputBillingCommitment cannot be ENABLED: Sluice bills nothing, so there is nothing to commit to.',
      );
    return this.describeAccount();
  };

  async #monitor(
    input: MonitoringInput,
    context: RequestContext,
    change: (current: readonly string[], named: readonly string[]) => string[],
  ): Promise<object> {
    const { name, settings } = this.#active(input);
    const named = input.ShardLevelMetrics.includes('ALL') ? ALL_METRICS : input.ShardLevelMetrics;
    const desired = change(settings.shardLevelMetrics, named);
    await this.#configure(name, { shardLevelMetrics: desired });
    return {
      StreamName: name,
      StreamARN: arnOf(name, context.region),
      CurrentShardLevelMetrics: settings.shardLevelMetrics,
      DesiredShardLevelMetrics: desired,
    };
  }

  #active(input: StreamInput): StreamDescription {
    return describeActive(this.#streams, nameOf(input));
  }

  async #configure(name: string, change: StreamChange): Promise<void> {
    await foundLater(name, () => this.#streams.configure(name, change));
  }
}
