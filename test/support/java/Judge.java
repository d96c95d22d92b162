import java.io.*;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.*;

/**
 * Java's own clients, for tests.
 *
 *   read BROKERS TOPIC,.. ISOLATION VALUES   records up to the end offsets, one a line:
 *                                            topic partition offset timestamp key value name:value,... (base64, - for null)
 *   produce BROKERS TOPIC COMPRESSION END    lines of stdin: partition key value; END is none, commit or abort
 */
public class Judge {
  public static void main(String[] args) throws Exception {
    if (args[0].equals("read")) read(args[1], args[2].split(","), args[3], args[4].equals("values"));
    else produce(args[1], args[2], args[3], args[4]);
  }

  static void read(String brokers, String[] topics, String isolation, boolean values) throws Exception {
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", brokers);
    config.put("isolation.level", isolation);
    config.put("auto.offset.reset", "none");
    config.put("max.poll.records", 10000);
    config.put("fetch.max.wait.ms", 100);
    PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16), false);
    try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions = new ArrayList<>();
      for (String topic : topics) {
        consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
      }
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      while (!ends.isEmpty()) {
        ConsumerRecords<byte[], byte[]> batch = consumer.poll(Duration.ofMillis(200));
        for (ConsumerRecord<byte[], byte[]> r : batch) {
          Long end = ends.get(new TopicPartition(r.topic(), r.partition()));
          if (end == null || r.offset() >= end) continue;
          StringBuilder line = new StringBuilder();
          line.append(r.topic()).append(' ').append(r.partition()).append(' ').append(r.offset()).append(' ').append(r.timestamp());
          line.append(' ').append(text(r.key())).append(' ').append(values ? text(r.value()) : "-").append(' ');
          for (Header h : r.headers()) {
            line.append(text(h.key().getBytes(StandardCharsets.UTF_8))).append(':').append(text(h.value())).append(',');
          }
          out.println(line);
        }
        ends.entrySet().removeIf(e -> consumer.position(e.getKey()) >= e.getValue());
      }
    }
    out.flush();
  }

  static void produce(String brokers, String topic, String compression, String end) throws Exception {
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", brokers);
    config.put("compression.type", compression);
    config.put("linger.ms", 50);
    config.put("batch.size", 1 << 18);
    boolean transactional = !end.equals("none");
    if (transactional) config.put("transactional.id", "judge-" + topic + "-" + System.nanoTime());
    try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
      if (transactional) {
        producer.initTransactions();
        producer.beginTransaction();
      }
      BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
      for (String line; (line = in.readLine()) != null; ) {
        String[] parts = line.split(" ");
        producer.send(new ProducerRecord<>(topic, Integer.valueOf(parts[0]), bytes(parts[1]), bytes(parts[2])));
      }
      producer.flush();
      if (end.equals("commit")) producer.commitTransaction();
      if (end.equals("abort")) producer.abortTransaction();
    }
  }

  static String text(byte[] bytes) {
    return bytes == null ? "-" : "'" + Base64.getEncoder().encodeToString(bytes);
  }

  static byte[] bytes(String text) {
    return text.equals("-") ? null : Base64.getDecoder().decode(text.substring(1));
  }
}
