import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClientBuilder;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.MetricsLevel;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.RetrievalSpecificConfig;
import software.amazon.kinesis.retrieval.fanout.FanOutConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A worker of the Kinesis Client Library, as people write them, with short times. It says what it does on its standard
 * output, a line each: {@code ready}, {@code start SHARD}, {@code record SHARD SEQUENCE SUBSEQUENCE KEY TEXT} before the
 * checkpoint that covers it, {@code lost SHARD} and {@code end SHARD}. It ends in order with its standard input.
 *
 * <p>Arguments: the endpoints of Kinesis and DynamoDB, the stream, the application, {@code polling} or {@code fan-out}, and
 * the worker's name. Credentials come from the environment.
 */
public final class KclWorker {
  private static final long FAILOVER_MS = 3_000;

  public static void main(String[] arguments) throws Exception {
    URI endpoint = URI.create(arguments[0]);
    URI leases = URI.create(arguments[1]);
    String stream = arguments[2];
    String application = arguments[3];
    boolean fanOut = arguments[4].equals("fan-out");
    String worker = arguments[5];
    EnvironmentVariableCredentialsProvider credentials = EnvironmentVariableCredentialsProvider.create();
    KinesisAsyncClientBuilder builder =
        KinesisAsyncClient.builder()
            .endpointOverride(endpoint)
            .region(Region.EU_CENTRAL_1)
            .credentialsProvider(credentials)
            // What KinesisClientUtil.adjustKinesisClientBuilder sets.
            .httpClientBuilder(
                NettyNioAsyncHttpClient.builder().maxConcurrency(Integer.MAX_VALUE).protocol(Protocol.HTTP2));
    KinesisAsyncClient kinesis = builder.build();
    DynamoDbAsyncClient dynamodb =
        DynamoDbAsyncClient.builder()
            .endpointOverride(leases)
            .region(Region.EU_CENTRAL_1)
            .credentialsProvider(credentials)
            .build();
    CloudWatchAsyncClient cloudwatch =
        CloudWatchAsyncClient.builder().region(Region.EU_CENTRAL_1).credentialsProvider(credentials).build();
    ConfigsBuilder configs =
        new ConfigsBuilder(
            new SingleStreamTracker(
                stream, InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON)),
            application,
            kinesis,
            dynamodb,
            cloudwatch,
            worker,
            Processor::new);
    RetrievalSpecificConfig retrieval =
        fanOut
            ? new FanOutConfig(kinesis).streamName(stream).applicationName(application)
            : new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(200).usePollingConfigIdleTimeValue(true);
    var management =
        configs
            .leaseManagementConfig()
            .failoverTimeMillis(FAILOVER_MS)
            .leaseAssignmentIntervalMillis(1_000L)
            .shardSyncIntervalMillis(1_000)
            .leasesRecoveryAuditorExecutionFrequencyMillis(2_000)
            .dynamoDbLockBasedLeaderLeaseDurationInMillis(3_000)
            .dynamoDbLockBasedLeaderHeartbeatPeriodInMillis(1_000);
    management.workerUtilizationAwareAssignmentConfig().disableWorkerMetrics(true);
    management.workerUtilizationAwareAssignmentConfig().inMemoryWorkerMetricsCaptureFrequencyMillis(1_000);
    management.workerUtilizationAwareAssignmentConfig().workerMetricsReporterFreqInMillis(1_000);
    Scheduler scheduler =
        new Scheduler(
            configs.checkpointConfig(),
            configs.coordinatorConfig().parentShardPollIntervalMillis(500).shardConsumerDispatchPollIntervalMillis(200),
            management,
            configs.lifecycleConfig(),
            configs.metricsConfig().metricsLevel(MetricsLevel.NONE),
            configs.processorConfig().callProcessRecordsEvenForEmptyRecordList(false),
            configs.retrievalConfig().retrievalSpecificConfig(retrieval));
    Thread thread = new Thread(scheduler);
    thread.start();
    say("ready");
    CountDownLatch ended = new CountDownLatch(1);
    Thread input =
        new Thread(
            () -> {
              try {
                while (System.in.read() >= 0) {}
              } catch (java.io.IOException ignored) {
                // As the end.
              }
              ended.countDown();
            });
    input.setDaemon(true);
    input.start();
    ended.await();
    scheduler.startGracefulShutdown().get();
    System.exit(0);
  }

  private static synchronized void say(String text) {
    System.out.println(text);
    System.out.flush();
  }

  private static final class Processor implements ShardRecordProcessor {
    private String shard;

    @Override
    public void initialize(InitializationInput input) {
      shard = input.shardId();
      say("start " + shard);
    }

    @Override
    public void processRecords(ProcessRecordsInput input) {
      for (KinesisClientRecord record : input.records()) {
        byte[] data = new byte[record.data().remaining()];
        record.data().get(data);
        say(
            String.join(
                " ",
                "record",
                shard,
                record.sequenceNumber(),
                String.valueOf(record.subSequenceNumber()),
                record.partitionKey(),
                new String(data, StandardCharsets.UTF_8)));
      }
      try {
        input.checkpointer().checkpoint();
      } catch (Exception error) {
        say("no checkpoint " + shard + " " + error);
      }
    }

    @Override
    public void leaseLost(LeaseLostInput input) {
      say("lost " + shard);
    }

    @Override
    public void shardEnded(ShardEndedInput input) {
      try {
        input.checkpointer().checkpoint();
        say("end " + shard);
      } catch (Exception error) {
        say("no end " + shard + " " + error);
      }
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) {
      try {
        input.checkpointer().checkpoint();
      } catch (Exception error) {
        say("no checkpoint " + shard + " " + error);
      }
    }
  }
}
