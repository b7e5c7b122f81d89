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
 * Reads topics to their last stable offsets with Kafka's own consumer, so that Lull's filter is not its own judge.
 * Usage: java -cp 'JARS/*' ReadCommitted.java BOOTSTRAP TOPIC...
 * One line a record: topic TAB partition TAB offset TAB timestamp TAB key (base64, or - for null) TAB value (likewise) TAB headers (name=base64, separated by commas).
 * After a topic's records: end TAB topic TAB read_committed end TAB read_uncommitted end, summed over partitions: they differ while a transaction dangles.
 */
public final class ReadCommitted {
    private static final int CHUNK = 1 << 20;

    public static void main(String[] args) {
        StringBuilder out = new StringBuilder();
        try (KafkaConsumer<byte[], byte[]> committed = consumer(args[0], "read_committed");
                KafkaConsumer<byte[], byte[]> uncommitted = consumer(args[0], "read_uncommitted")) {
            for (String topic : List.of(args).subList(1, args.length)) read(out, topic, committed, uncommitted);
        }
        flush(out);
    }

    /** A topic may be larger than a string can be. */
    private static void flush(StringBuilder out) {
        System.out.print(out);
        System.out.flush();
        out.setLength(0);
    }

    private static void read(
            StringBuilder out, String topic, KafkaConsumer<byte[], byte[]> consumer, KafkaConsumer<byte[], byte[]> uncommitted) {
        List<TopicPartition> partitions = partitions(consumer, topic);
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p)))
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                line(out, record);
                if (out.length() > CHUNK) flush(out);
            }
        out.append("end\t").append(topic).append('\t').append(sum(ends)).append('\t').append(sum(uncommitted.endOffsets(partitions))).append('\n');
    }

    private static long sum(Map<TopicPartition, Long> offsets) {
        return offsets.values().stream().mapToLong(Long::longValue).sum();
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
        out.append(record.topic()).append('\t').append(record.partition()).append('\t').append(record.offset()).append('\t').append(record.timestamp());
        out.append('\t').append(base64(record.key())).append('\t').append(base64(record.value())).append('\t');
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
