import com.google.common.util.concurrent.ListenableFuture;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.kinesis.producer.KinesisProducer;
import software.amazon.kinesis.producer.KinesisProducerConfiguration;
import software.amazon.kinesis.producer.UserRecordResult;

/**
 * Puts records with the Kinesis Producer Library, whose native part wants TLS. It says {@code put SHARD SEQUENCE TEXT} for
 * each record that was taken, then {@code ok}. Arguments: the port of the endpoint on this machine, a folder for temporary
 * files, the stream, and how many records. Each is a JSON text with a key and a number; a key's numbers rise.
 */
public final class KplProducer {
  private static final int KEYS = 20;

  public static void main(String[] arguments) throws Exception {
    long port = Long.parseLong(arguments[0]);
    String stream = arguments[2];
    int count = Integer.parseInt(arguments[3]);
    KinesisProducerConfiguration configuration =
        new KinesisProducerConfiguration()
            .setRegion("eu-central-1")
            .setKinesisEndpoint("127.0.0.1")
            .setKinesisPort(port)
            // Neither is called here, and nothing is to leave this machine if that changes.
            .setStsEndpoint("127.0.0.1")
            .setStsPort(port)
            .setCloudwatchEndpoint("127.0.0.1")
            .setCloudwatchPort(port)
            .setVerifyCertificate(false)
            .setMetricsLevel("none")
            .setTempDirectory(arguments[1])
            .setRecordMaxBufferedTime(200)
            .setRecordTtl(60_000)
            .setCredentialsProvider(EnvironmentVariableCredentialsProvider.create());
    KinesisProducer producer = new KinesisProducer(configuration);
    List<ListenableFuture<UserRecordResult>> puts = new ArrayList<>();
    List<String> texts = new ArrayList<>();
    for (int number = 0; number < count; number++) {
      String key = "key-" + number % KEYS;
      String text = "{\"key\":\"" + key + "\",\"number\":" + number + "}";
      texts.add(text);
      puts.add(producer.addUserRecord(stream, key, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8))));
      // Only when it knows the shards, from its first record on, does it aggregate.
      if (number == 0) puts.get(0).get(60, TimeUnit.SECONDS);
    }
    producer.flush();
    for (int number = 0; number < count; number++) {
      UserRecordResult result = puts.get(number).get(60, TimeUnit.SECONDS);
      if (!result.isSuccessful()) throw new AssertionError("record " + number + ": " + result.getAttempts());
      System.out.println("put " + result.getShardId() + " " + result.getSequenceNumber() + " " + texts.get(number));
    }
    producer.flushSync();
    producer.destroy();
    System.out.println("ok");
    System.exit(0);
  }
}
