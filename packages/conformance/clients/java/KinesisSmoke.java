import java.nio.charset.StandardCharsets;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.ConsumerStatus;
import software.amazon.awssdk.services.kinesis.model.KinesisException;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.awssdk.services.kinesis.model.ResourceInUseException;
import software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException;
import software.amazon.awssdk.services.kinesis.model.ShardFilterType;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardEvent;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardResponseHandler;

/**
 * Uses a Kinesis endpoint as a program written with the AWS SDK for Java v2 does: CBOR unless it is switched off, HTTP/1.1
 * from the synchronous client, HTTP/2 from the asynchronous one. The endpoint is the one argument, credentials come from
 * the environment.
 */
public final class KinesisSmoke {
  private static final String SHARD = "shardId-000000000000";

  public static void main(String[] arguments) throws Exception {
    URI endpoint = URI.create(arguments[0]);
    try (KinesisClient client =
            KinesisClient.builder()
                .endpointOverride(endpoint)
                .region(Region.EU_CENTRAL_1)
                .credentialsProvider(EnvironmentVariableCredentialsProvider.create())
                .build();
        KinesisAsyncClient async =
            KinesisAsyncClient.builder()
                .endpointOverride(endpoint)
                .region(Region.EU_CENTRAL_1)
                .credentialsProvider(EnvironmentVariableCredentialsProvider.create())
                .build()) {
      String name = "java_" + System.nanoTime();
      Instant start = Instant.now().minusSeconds(1);
      client.createStream(r -> r.streamName(name).shardCount(1).tags(Collections.singletonMap("team", "данные")));
      client.waiter().waitUntilStreamExists(r -> r.streamName(name));
      List<byte[]> data = data();
      putAndRead(client, name, start, data);
      describe(client, name, start);
      refusals(client, name);
      throughHttp2(async, name, data);
      subscribe(async, name, data);
      client.deleteStream(r -> r.streamName(name).enforceConsumerDeletion(true));
    }
    System.out.println("ok");
  }

  private static List<byte[]> data() {
    byte[] large = new byte[300_000];
    for (int at = 0; at < large.length; at++) large[at] = (byte) (at * 31);
    return List.of("first".getBytes(StandardCharsets.UTF_8), new byte[] {0, -1, -128, 10}, new byte[0], large);
  }

  private static void putAndRead(KinesisClient client, String name, Instant start, List<byte[]> data) {
    client.putRecord(
        r -> r.streamName(name).partitionKey("ключ").explicitHashKey("0").data(SdkBytes.fromByteArray(data.get(0))));
    List<PutRecordsRequestEntry> entries = new ArrayList<>();
    for (byte[] bytes : data.subList(1, data.size()))
      entries.add(PutRecordsRequestEntry.builder().partitionKey("k").data(SdkBytes.fromByteArray(bytes)).build());
    var put = client.putRecords(r -> r.streamName(name).records(entries));
    check(put.failedRecordCount() == 0 && put.records().size() == entries.size(), "PutRecords: " + put);
    for (ShardIteratorType type : List.of(ShardIteratorType.TRIM_HORIZON, ShardIteratorType.AT_TIMESTAMP)) {
      String iterator =
          client
              .getShardIterator(
                  r ->
                      r.streamName(name)
                          .shardId(SHARD)
                          .shardIteratorType(type)
                          .timestamp(type == ShardIteratorType.AT_TIMESTAMP ? start : null))
              .shardIterator();
      var read = client.getRecords(r -> r.shardIterator(iterator));
      same(read.records(), data, type.toString());
      check(read.millisBehindLatest() == 0 && read.nextShardIterator() != null, "GetRecords: " + read);
      check(read.records().get(0).partitionKey().equals("ключ"), "key " + read.records().get(0).partitionKey());
      Duration age = Duration.between(read.records().get(0).approximateArrivalTimestamp(), Instant.now());
      check(age.abs().toMinutes() < 1, "arrived " + age + " ago");
    }
  }

  private static void describe(KinesisClient client, String name, Instant start) {
    var stream = client.describeStream(r -> r.streamName(name)).streamDescription();
    check(Duration.between(start, stream.streamCreationTimestamp()).abs().toMinutes() < 1, "created " + stream);
    check(stream.shards().size() == 1 && stream.retentionPeriodHours() == 24, "described " + stream);
    var shards = client.listShards(r -> r.streamName(name).shardFilter(f -> f.type(ShardFilterType.AT_LATEST)));
    check(shards.shards().size() == 1, "listed " + shards);
    check(client.describeLimits().shardLimit() > 0, "limits");
    var tags = client.listTagsForStream(r -> r.streamName(name)).tags();
    check(tags.size() == 1 && tags.get(0).value().equals("данные"), "tags " + tags);
    check(client.listStreams().streamNames().contains(name), "the stream is not listed");
  }

  private static void refusals(KinesisClient client, String name) {
    KinesisException absent =
        refused(ResourceNotFoundException.class, () -> client.describeStream(r -> r.streamName("absent")));
    check(absent.getMessage().contains("Stream absent under account"), absent.getMessage());
    check(absent.statusCode() == 400 && absent.requestId() != null, "status and id of " + absent);
    refused(ResourceInUseException.class, () -> client.createStream(r -> r.streamName(name).shardCount(1)));
    KinesisException invalid =
        refused(
            KinesisException.class,
            () -> client.putRecord(r -> r.streamName("a b").partitionKey("k").data(SdkBytes.fromUtf8String("x"))));
    check(invalid.awsErrorDetails().errorCode().equals("ValidationException"), invalid.toString());
    check(
        invalid.getMessage().contains("1 validation error detected: Value 'a b' at 'streamName' failed to satisfy"),
        invalid.getMessage());
  }

  private static void throughHttp2(KinesisAsyncClient async, String name, List<byte[]> data) {
    String iterator =
        async
            .getShardIterator(r -> r.streamName(name).shardId(SHARD).shardIteratorType(ShardIteratorType.TRIM_HORIZON))
            .join()
            .shardIterator();
    same(async.getRecords(r -> r.shardIterator(iterator)).join().records(), data, "HTTP/2");
    try {
      async.describeStreamSummary(r -> r.streamName("absent")).join();
      throw new AssertionError("an absent stream was described");
    } catch (CompletionException error) {
      check(error.getCause() instanceof ResourceNotFoundException, "HTTP/2: " + error.getCause());
    }
  }

  private static void subscribe(KinesisAsyncClient async, String name, List<byte[]> data) throws Exception {
    String stream =
        async.describeStreamSummary(r -> r.streamName(name)).join().streamDescriptionSummary().streamARN();
    String consumer =
        async.registerStreamConsumer(r -> r.streamARN(stream).consumerName("smoke")).join().consumer().consumerARN();
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (async.describeStreamConsumer(r -> r.consumerARN(consumer)).join().consumerDescription().consumerStatus()
        != ConsumerStatus.ACTIVE) {
      check(System.nanoTime() < end, "the consumer did not become ACTIVE");
      Thread.sleep(50);
    }
    List<Record> pushed = Collections.synchronizedList(new ArrayList<>());
    List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch all = new CountDownLatch(data.size());
    SubscribeToShardResponseHandler handler =
        SubscribeToShardResponseHandler.builder()
            .onError(failures::add)
            .subscriber(
                event -> {
                  if (event instanceof SubscribeToShardEvent records) {
                    for (Record record : records.records()) {
                      pushed.add(record);
                      all.countDown();
                    }
                  }
                })
            .build();
    var subscription =
        async.subscribeToShard(
            r ->
                r.consumerARN(consumer)
                    .shardId(SHARD)
                    .startingPosition(p -> p.type(ShardIteratorType.TRIM_HORIZON)),
            handler);
    check(all.await(20, TimeUnit.SECONDS), "pushed " + pushed.size() + " records: " + failures);
    same(pushed, data, "SubscribeToShard");
    subscription.cancel(true);
  }

  private static void same(List<Record> records, List<byte[]> data, String how) {
    check(records.size() == data.size(), how + ": " + records.size() + " records");
    for (int at = 0; at < data.size(); at++)
      check(Arrays.equals(records.get(at).data().asByteArray(), data.get(at)), how + ": record " + at);
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
