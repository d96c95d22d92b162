import com.nimbusds.jose.jwk.JWKSet;
import java.io.File;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Reads an audience's topic: java Consume BROKERS TOPIC KEYS.jwks.json AUDIENCE */
class Consume {
  public static void main(String[] args) throws Exception {
    var keys = JWKSet.load(new File(args[2]));
    Map<String, Object> settings = Map.of("bootstrap.servers", args[0], "group.id", args[3] + "-reader",
        "isolation.level", "read_committed", "auto.offset.reset", "earliest", "enable.auto.commit", false);
    try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(args[1]));
      while (true) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) {
          if (record.value() == null) continue; // a tombstone
          try {
            System.out.println(Open.open(record.value(), keys, args[3]));
          } catch (Exception e) {
            System.err.println(record.topic() + "/" + record.partition() + "/" + record.offset() + " refused");
          }
        }
        consumer.commitSync();
      }
    }
  }
}
