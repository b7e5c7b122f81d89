import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads a topic to its last stable offset with Kafka's own consumer, so that Lull's filter is not its own judge.
 * Usage: java -cp 'JARS/*' ReadCommitted.java BOOTSTRAP TOPIC
 * One line a record: partition TAB offset TAB key (base64, or - for null) TAB value (likewise) TAB headers (name=base64, separated by commas).
 * The last line is `end TAB read_committed end TAB read_uncommitted end`, summed over partitions: they differ while a transaction dangles.
 */
public final class ReadCommitted {
    public static void main(String[] args) {
        String topic = args[1];
        StringBuilder out = new StringBuilder();
        long committed;
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(args[0], "read_committed")) {
            List<TopicPartition> partitions = partitions(consumer, topic);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p)))
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) line(out, record);
            committed = ends.values().stream().mapToLong(Long::longValue).sum();
        }
        long uncommitted;
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(args[0], "read_uncommitted")) {
            uncommitted = consumer.endOffsets(partitions(consumer, topic)).values().stream().mapToLong(Long::longValue).sum();
        }
        System.out.print(out);
        System.out.println("end\t" + committed + "\t" + uncommitted);
    }

    private static List<TopicPartition> partitions(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        return consumer.partitionsFor(topic).stream().map(info -> new TopicPartition(topic, info.partition())).toList();
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, String isolation) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("isolation.level", isolation);
        properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
        properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
        return new KafkaConsumer<>(properties);
    }

    private static void line(StringBuilder out, ConsumerRecord<byte[], byte[]> record) {
        out.append(record.partition()).append('\t').append(record.offset()).append('\t').append(base64(record.key())).append('\t').append(base64(record.value()))
            .append('\t');
        String separator = "";
        for (Header header : record.headers()) {
            out.append(separator).append(header.key()).append('=').append(base64(header.value()));
            separator = ",";
        }
        out.append('\n');
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? "-" : Base64.getEncoder().encodeToString(bytes);
    }

    private ReadCommitted() {}
}
