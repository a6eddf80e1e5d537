import com.amazonaws.ClientConfiguration;
import com.amazonaws.SDKGlobalConfiguration;
import com.amazonaws.auth.EnvironmentVariableCredentialsProvider;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.handlers.AsyncHandler;
import com.amazonaws.handlers.HandlerBeforeAttemptContext;
import com.amazonaws.handlers.RequestHandler2;
import com.amazonaws.retry.PredefinedRetryPolicies;
import com.amazonaws.services.kinesis.AmazonKinesis;
import com.amazonaws.services.kinesis.AmazonKinesisAsync;
import com.amazonaws.services.kinesis.AmazonKinesisAsyncClientBuilder;
import com.amazonaws.services.kinesis.AmazonKinesisClient;
import com.amazonaws.services.kinesis.AmazonKinesisClientBuilder;
import com.amazonaws.services.kinesis.model.AmazonKinesisException;
import com.amazonaws.services.kinesis.model.DescribeStreamRequest;
import com.amazonaws.services.kinesis.model.GetRecordsRequest;
import com.amazonaws.services.kinesis.model.GetRecordsResult;
import com.amazonaws.services.kinesis.model.GetShardIteratorRequest;
import com.amazonaws.services.kinesis.model.InvalidArgumentException;
import com.amazonaws.services.kinesis.model.ListShardsRequest;
import com.amazonaws.services.kinesis.model.ProvisionedThroughputExceededException;
import com.amazonaws.services.kinesis.model.PutRecordRequest;
import com.amazonaws.services.kinesis.model.PutRecordResult;
import com.amazonaws.services.kinesis.model.PutRecordsRequest;
import com.amazonaws.services.kinesis.model.PutRecordsRequestEntry;
import com.amazonaws.services.kinesis.model.PutRecordsResult;
import com.amazonaws.services.kinesis.model.Record;
import com.amazonaws.services.kinesis.model.ResourceInUseException;
import com.amazonaws.services.kinesis.model.ResourceNotFoundException;
import com.amazonaws.services.kinesis.model.Shard;
import com.amazonaws.services.kinesis.model.ShardIteratorType;
import com.amazonaws.services.kinesis.model.SplitShardRequest;
import com.amazonaws.services.kinesis.waiters.AmazonKinesisWaiters;
import com.amazonaws.waiters.WaiterParameters;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Uses a Kinesis endpoint as a program written with the AWS SDK for Java 1.x does: CBOR unless it is switched off, blocking
 * and asynchronous clients, the SDK's own retries. Arguments: the endpoint, and one that holds shards to the quotas of AWS.
 * Credentials come from the environment.
 */
public final class KinesisV1Smoke {
  private static final String SHARD = "shardId-000000000000";
  private static final int CLOCK_OFF_SECONDS = 3_600;
  private static final int AT_ONCE = 6;

  public static void main(String[] arguments) throws Exception {
    AmazonKinesis client = build(arguments[0], new ClientConfiguration());
    String name = "java_v1_" + System.nanoTime();
    Date start = new Date(System.currentTimeMillis() - 1_000);
    client.createStream(name, 1);
    new AmazonKinesisWaiters(client)
        .streamExists()
        .run(new WaiterParameters<>(new DescribeStreamRequest().withStreamName(name)));
    List<byte[]> data = data();
    putAndRead(client, name, start, data);
    describe(client, name, start);
    refusals(client, name);
    asynchronously(arguments[0], name, data);
    wrongClock(arguments[0], name);
    reshard(client, name);
    client.deleteStream(name);
    throttled(arguments[1]);
    System.out.println("ok");
    System.exit(0);
  }

  private static AmazonKinesis build(String endpoint, ClientConfiguration configuration, RequestHandler2... handlers) {
    return AmazonKinesisClientBuilder.standard()
        .withEndpointConfiguration(new EndpointConfiguration(endpoint, "eu-central-1"))
        .withCredentials(new EnvironmentVariableCredentialsProvider())
        .withClientConfiguration(configuration)
        .withRequestHandlers(handlers)
        .build();
  }

  private static List<byte[]> data() {
    byte[] large = new byte[300_000];
    for (int at = 0; at < large.length; at++) large[at] = (byte) (at * 31);
    return List.of("first".getBytes(StandardCharsets.UTF_8), new byte[] {0, -1, -128, 10}, new byte[0], large);
  }

  private static void putAndRead(AmazonKinesis client, String name, Date start, List<byte[]> data) {
    client.putRecord(
        new PutRecordRequest()
            .withStreamName(name)
            .withPartitionKey("ключ")
            .withExplicitHashKey("0")
            .withData(ByteBuffer.wrap(data.get(0))));
    List<PutRecordsRequestEntry> entries = new ArrayList<>();
    for (byte[] bytes : data.subList(1, data.size()))
      entries.add(new PutRecordsRequestEntry().withPartitionKey("k").withData(ByteBuffer.wrap(bytes)));
    PutRecordsResult put = client.putRecords(new PutRecordsRequest().withStreamName(name).withRecords(entries));
    check(put.getFailedRecordCount() == 0 && put.getRecords().size() == entries.size(), "PutRecords: " + put);
    for (ShardIteratorType type : List.of(ShardIteratorType.TRIM_HORIZON, ShardIteratorType.AT_TIMESTAMP)) {
      if (type == ShardIteratorType.AT_TIMESTAMP && SDKGlobalConfiguration.isCborDisabled()) {
        timestampInJson(client, name, start);
        continue;
      }
      GetRecordsResult read =
          client.getRecords(
              new GetRecordsRequest()
                  .withShardIterator(
                      client
                          .getShardIterator(
                              new GetShardIteratorRequest()
                                  .withStreamName(name)
                                  .withShardId(SHARD)
                                  .withShardIteratorType(type)
                                  .withTimestamp(type == ShardIteratorType.AT_TIMESTAMP ? start : null))
                          .getShardIterator()));
      same(read.getRecords(), data, type.toString());
      check(read.getMillisBehindLatest() == 0 && read.getNextShardIterator() != null, "GetRecords: " + read);
      Record first = read.getRecords().get(0);
      check(first.getPartitionKey().equals("ключ"), "key " + first.getPartitionKey());
      long age = System.currentTimeMillis() - first.getApproximateArrivalTimestamp().getTime();
      check(Math.abs(age) < 60_000, "arrived " + age + " ms ago");
      check(read.getSdkResponseMetadata().getRequestId() != null, "no request id");
    }
  }

  /** Over JSON this SDK writes milliseconds where the protocol has seconds; AWS refuses that in these words. */
  private static void timestampInJson(AmazonKinesis client, String name, Date start) {
    InvalidArgumentException future =
        refused(
            InvalidArgumentException.class,
            () ->
                client.getShardIterator(
                    new GetShardIteratorRequest()
                        .withStreamName(name)
                        .withShardId(SHARD)
                        .withShardIteratorType(ShardIteratorType.AT_TIMESTAMP)
                        .withTimestamp(start)));
    check(
        future.getErrorMessage().startsWith("The timestampInMillis parameter cannot be greater than the"),
        future.toString());
  }

  private static void describe(AmazonKinesis client, String name, Date start) {
    var stream = client.describeStream(name).getStreamDescription();
    long age = stream.getStreamCreationTimestamp().getTime() - start.getTime();
    check(Math.abs(age) < 60_000, "created " + stream.getStreamCreationTimestamp());
    check(stream.getShards().size() == 1 && stream.getRetentionPeriodHours() == 24, "described " + stream);
    check(client.listStreams().getStreamNames().contains(name), "the stream is not listed");
    check(!stream.getHasMoreShards(), "more shards");
  }

  private static void refusals(AmazonKinesis client, String name) {
    ResourceNotFoundException absent =
        refused(ResourceNotFoundException.class, () -> client.describeStream("absent"));
    check(absent.getErrorMessage().contains("Stream absent under account"), absent.toString());
    check(absent.getStatusCode() == 400 && absent.getRequestId() != null, "status and id of " + absent);
    check(absent.getErrorCode().equals("ResourceNotFoundException"), "code of " + absent);
    refused(ResourceInUseException.class, () -> client.createStream(name, 1));
    AmazonKinesisException invalid =
        refused(
            AmazonKinesisException.class,
            () -> client.putRecord("a b", ByteBuffer.wrap(new byte[] {1}), "k"));
    check(invalid.getErrorCode().equals("ValidationException"), invalid.toString());
    check(invalid.getErrorMessage().contains("Value 'a b' at 'streamName' failed to satisfy"), invalid.toString());
  }

  private static void asynchronously(String endpoint, String name, List<byte[]> data) throws Exception {
    AmazonKinesisAsync async =
        AmazonKinesisAsyncClientBuilder.standard()
            .withEndpointConfiguration(new EndpointConfiguration(endpoint, "eu-central-1"))
            .withCredentials(new EnvironmentVariableCredentialsProvider())
            .build();
    AtomicInteger succeeded = new AtomicInteger();
    AsyncHandler<PutRecordRequest, PutRecordResult> handler =
        new AsyncHandler<>() {
          @Override
          public void onError(Exception error) {
            error.printStackTrace();
          }

          @Override
          public void onSuccess(
              PutRecordRequest request, PutRecordResult result) {
            succeeded.incrementAndGet();
          }
        };
    List<Future<?>> puts = new ArrayList<>();
    for (int at = 0; at < 100; at++)
      puts.add(
          async.putRecordAsync(
              new PutRecordRequest()
                  .withStreamName(name)
                  .withPartitionKey("k")
                  .withData(ByteBuffer.wrap(("async " + at).getBytes(StandardCharsets.UTF_8))),
              handler));
    for (Future<?> put : puts) put.get(20, TimeUnit.SECONDS);
    // The handler runs before the future is done.
    check(succeeded.get() == 100, succeeded.get() + " of 100 puts succeeded");
    String iterator =
        async
            .getShardIteratorAsync(name, SHARD, "TRIM_HORIZON")
            .get(20, TimeUnit.SECONDS)
            .getShardIterator();
    List<Record> records =
        async
            .getRecordsAsync(new GetRecordsRequest().withShardIterator(iterator))
            .get(20, TimeUnit.SECONDS)
            .getRecords();
    same(records.subList(0, data.size()), data, "asynchronously");
    check(records.size() == data.size() + 100, records.size() + " records");
    try {
      async.describeStreamAsync("absent").get(20, TimeUnit.SECONDS);
      throw new AssertionError("an absent stream was described");
    } catch (ExecutionException error) {
      check(error.getCause() instanceof ResourceNotFoundException, "asynchronously: " + error.getCause());
    }
    async.shutdown();
  }

  /** The SDK learns the server's time from the refusal, corrects its own and tries again. */
  // Only a client that is made without a builder can be told a wrong time.
  @SuppressWarnings("deprecation")
  private static void wrongClock(String endpoint, String name) {
    for (int offset : List.of(-CLOCK_OFF_SECONDS, CLOCK_OFF_SECONDS)) {
      AtomicInteger attempts = new AtomicInteger();
      AmazonKinesisClient client = new AmazonKinesisClient(new EnvironmentVariableCredentialsProvider());
      client.setEndpoint(endpoint);
      client.setSignerRegionOverride("eu-central-1");
      client.addRequestHandler(counting(attempts));
      client.setTimeOffset(offset);
      client.describeStream(name);
      check(attempts.get() == 2, attempts.get() + " attempts with a clock that is off by " + offset + " s");
      client.shutdown();
    }
  }

  private static RequestHandler2 counting(AtomicInteger attempts) {
    return new RequestHandler2() {
      @Override
      public void beforeAttempt(HandlerBeforeAttemptContext context) {
        attempts.incrementAndGet();
      }
    };
  }

  private static void reshard(AmazonKinesis client, String name) throws Exception {
    BigInteger middle = BigInteger.TWO.pow(127);
    client.splitShard(
        new SplitShardRequest()
            .withStreamName(name)
            .withShardToSplit(SHARD)
            .withNewStartingHashKey(middle.toString()));
    active(client, name);
    List<Shard> open = open(client, name);
    check(open.size() == 2 && open.get(0).getParentShardId().equals(SHARD), "split into " + open);
    client.mergeShards(name, open.get(0).getShardId(), open.get(1).getShardId());
    active(client, name);
    open = open(client, name);
    check(open.size() == 1 && open.get(0).getAdjacentParentShardId() != null, "merged into " + open);
    List<Shard> listed = client.listShards(new ListShardsRequest().withStreamName(name)).getShards();
    check(listed.size() == 4, "listed " + listed);
  }

  private static List<Shard> open(AmazonKinesis client, String name) {
    return client.describeStream(name).getStreamDescription().getShards().stream()
        .filter(shard -> shard.getSequenceNumberRange().getEndingSequenceNumber() == null)
        .toList();
  }

  private static void active(AmazonKinesis client, String name) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!client.describeStream(name).getStreamDescription().getStreamStatus().equals("ACTIVE")) {
      check(System.nanoTime() < end, name + " did not become ACTIVE");
      Thread.sleep(50);
    }
  }

  /** A shard takes a megabyte a second: PutRecord is tried again until it is taken, PutRecords fails in part. */
  private static void throttled(String endpoint) throws Exception {
    AtomicInteger attempts = new AtomicInteger();
    AmazonKinesis patient =
        build(
            endpoint,
            new ClientConfiguration()
                .withRetryPolicy(PredefinedRetryPolicies.getDefaultRetryPolicyWithCustomMaxRetries(10)),
            counting(attempts));
    AmazonKinesis hasty = build(endpoint, new ClientConfiguration().withMaxErrorRetry(0));
    String name = "java_v1_" + System.nanoTime();
    patient.createStream(name, 1);
    active(patient, name);
    ByteBuffer large = ByteBuffer.allocate(700_000);
    attempts.set(0);
    List<Throwable> failures = atOnce(() -> patient.putRecord(name, large.duplicate(), "k"));
    check(failures.isEmpty(), "refused in spite of retries: " + failures);
    check(attempts.get() > AT_ONCE, "nothing was throttled");
    failures = atOnce(() -> hasty.putRecord(name, large.duplicate(), "k"));
    check(!failures.isEmpty(), "nothing was refused");
    for (Throwable failure : failures) {
      check(failure instanceof ProvisionedThroughputExceededException, "refused with " + failure);
      check(failure.getMessage().contains("Rate exceeded for shard " + SHARD), failure.toString());
    }
    List<PutRecordsRequestEntry> entries = new ArrayList<>();
    for (int at = 0; at < 5; at++)
      entries.add(new PutRecordsRequestEntry().withPartitionKey("k").withData(large.duplicate()));
    PutRecordsResult put = hasty.putRecords(new PutRecordsRequest().withStreamName(name).withRecords(entries));
    check(put.getFailedRecordCount() >= 3, "PutRecords: " + put);
    var failed = put.getRecords().get(4);
    check(
        "ProvisionedThroughputExceededException".equals(failed.getErrorCode())
            && failed.getErrorMessage() != null
            && failed.getSequenceNumber() == null,
        "failed: " + failed);
    patient.deleteStream(name);
  }

  private static List<Throwable> atOnce(Runnable call) throws InterruptedException {
    List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
    List<Thread> threads = new ArrayList<>();
    for (int at = 0; at < AT_ONCE; at++) {
      Thread thread = new Thread(call);
      thread.setUncaughtExceptionHandler((ignored, failure) -> failures.add(failure));
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) thread.join();
    return failures;
  }

  private static void same(List<Record> records, List<byte[]> data, String how) {
    check(records.size() == data.size(), how + ": " + records.size() + " records");
    for (int at = 0; at < data.size(); at++) {
      ByteBuffer buffer = records.get(at).getData().duplicate();
      byte[] bytes = new byte[buffer.remaining()];
      buffer.get(bytes);
      check(Arrays.equals(bytes, data.get(at)), how + ": record " + at);
    }
  }

  private static <E extends Throwable> E refused(Class<E> type, Runnable call) {
    try {
      call.run();
    } catch (Throwable error) {
      if (type.isInstance(error)) return type.cast(error);
      throw new AssertionError("refused with " + error, error);
    }
    throw new AssertionError("not refused with " + type);
  }

  private static void check(boolean holds, String otherwise) {
    if (!holds) throw new AssertionError(otherwise);
  }
}
