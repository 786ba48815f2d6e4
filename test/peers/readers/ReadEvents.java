import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Prints all events of a topic as JSON lines, timestamps as numbers.
 * Usage: ReadEvents.java BROKERS TOPIC (avro SCHEMA_FILE | apicurio REGISTRY_URL)
 */
class ReadEvents {
  public static void main(String[] args) throws Exception {
    var properties = new Properties();
    properties.put("bootstrap.servers", args[0]);
    properties.put("isolation.level", "read_committed");
    try (var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), reader(args[2], args[3]))) {
      var partitions =
          consumer.partitionsFor(args[1]).stream().map(it -> new TopicPartition(it.topic(), it.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      var ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(it -> consumer.position(it) < ends.get(it)))
        for (var message : consumer.poll(Duration.ofMillis(500))) System.out.println(message.value());
    }
  }

  private static Deserializer<GenericRecord> reader(String name, String source) throws Exception {
    if (name.equals("avro")) {
      // Avro single-object encoding.
      var decoder = new BinaryMessageDecoder<GenericRecord>(new GenericData(), new Schema.Parser().parse(Path.of(source).toFile()));
      return (topic, bytes) -> {
        try {
          return decoder.decode(bytes);
        } catch (Exception error) {
          throw new IllegalStateException(error);
        }
      };
    }
    var deserializer = new AvroKafkaDeserializer<GenericRecord>();
    // Confluent's wire format has the id of the content, in four bytes.
    deserializer.configure(
        Map.of(
            "apicurio.registry.url", source,
            "apicurio.registry.as-confluent", true,
            "apicurio.registry.use-id", "contentId"),
        false);
    return deserializer;
  }
}
