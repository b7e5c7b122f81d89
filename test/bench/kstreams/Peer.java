import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.util.Utf8;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The bench's workload on Kafka Streams: sessions per user, two rules that wait for a deadline in event time, and pings that are answered at once. Exactly once,
 * commits every 100 ms. Settings come from the environment. Prints `ready`, waits for a line on stdin, prints `first_ms=<epoch ms>` at its first record; ends at
 * SIGTERM, and when its stdin ends.
 *
 * What is due is decided by the partition's watermark alone (largest record time - 5 s - 1 ms), so the output does not depend on batches, threads or commits.
 */
public final class Peer {
    static final int CART = UserState.TYPES.indexOf("cart_item_added");
    static final int CHECKOUT = UserState.TYPES.indexOf("checkout_started");
    static final int PURCHASE = UserState.TYPES.indexOf("purchase_completed");
    static final int PING = UserState.TYPES.indexOf("ping");
    static final long CART_WAIT_MS = 60 * 60_000L;
    static final long CHECKOUT_WAIT_MS = 10 * 60_000L;
    static final long LATENESS_MS = 5_001;
    static final int FRAME_BYTES = 5;
    static final byte CART_RULE = 0;
    static final byte CHECKOUT_RULE = 1;
    static final AtomicBoolean BEGUN = new AtomicBoolean();

    public static void main(String[] args) throws Exception {
        KafkaStreams streams = new KafkaStreams(topology(), settings());
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        System.out.println("ready");
        if (System.in.read() < 0) return;
        streams.start();
        CountDownLatch stop = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
        Thread parent = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (IOException broken) {
                // A broken pipe is an end as well.
            }
            stop.countDown();
        });
        parent.setDaemon(true);
        parent.start();
        stop.await();
        System.exit(1);
    }

    static Properties settings() {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, env("GROUP"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, env("BOOTSTRAP"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, env("STATE_DIR"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, env("THREADS"));
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, env("COMMIT_MS"));
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 10 * 1024 * 1024);
        settings.put("auto.offset.reset", "earliest");
        return settings;
    }

    static Topology topology() {
        var users = Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("users"), Serdes.String(), Serdes.ByteArray())
            .withCachingEnabled();
        var timers = Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("timers"), Serdes.ByteArray(), Serdes.ByteArray());
        Topology topology = new Topology();
        topology.addSource("events", new StringDeserializer(), new ByteArrayDeserializer(), env("TOPIC"));
        topology.addProcessor("rules", Rules::new, "events");
        topology.addStateStore(users, "rules");
        topology.addStateStore(timers, "rules");
        topology.addSink("commands", env("DISPATCH_TOPIC"), new StringSerializer(), new ByteArraySerializer(), "rules");
        return topology;
    }

    static String env(String name) {
        String value = System.getenv(name);
        if (value == null) throw new IllegalArgumentException(name + " is not set");
        return value;
    }

    static final class Rules implements Processor<String, byte[], String, byte[]> {
        private final GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(new Schema.Parser().parse(env("SCHEMA")));
        private final Utf8 price = new Utf8("price");
        private final Utf8 qty = new Utf8("qty");
        private BinaryDecoder decoder;
        private GenericRecord event;
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> users;
        private KeyValueStore<byte[], byte[]> timers;
        private long streamTime = Long.MIN_VALUE;
        /** Up to here, exclusively, all timers have fired: deleted rows below it need not be stepped over again. */
        private long scannedTo;

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            this.context = context;
            users = context.getStateStore("users");
            timers = context.getStateStore("timers");
            context.schedule(Duration.ofSeconds(1), PunctuationType.STREAM_TIME, now -> fire(Math.max(streamTime, now) - LATENESS_MS));
        }

        @Override
        public void process(Record<String, byte[]> record) {
            if (BEGUN.compareAndSet(false, true)) System.out.println("first_ms=" + System.currentTimeMillis());
            streamTime = Math.max(streamTime, record.timestamp());
            decode(record.value());
            int type = UserState.TYPES.indexOf(event.get("type").toString());
            if (type < 0) return; // the closing flush
            String user = record.key();
            long at = (Long) event.get("occurredAt");
            UserState state = UserState.of(users.get(user));
            state.extendSession(type, at, type == CART ? cents() : 0);
            if (type == CART || type == PURCHASE) {
                cancel(state.carts, user, CART_RULE, at, CART_WAIT_MS);
                if (type == CART && !(state.lastCartOrPurchase > at)) arm(state, state.carts, user, CART_RULE, at, CART_WAIT_MS);
                state.lastCartOrPurchase = Math.max(state.lastCartOrPurchase, at);
            }
            cancel(state.checkouts, user, CHECKOUT_RULE, at, CHECKOUT_WAIT_MS);
            if (type == CHECKOUT && !(state.lastAny > at)) arm(state, state.checkouts, user, CHECKOUT_RULE, at, CHECKOUT_WAIT_MS);
            state.lastAny = Math.max(state.lastAny, at);
            users.put(user, state.toBytes());
            if (type == PING) emit("ping", "ping:" + event.get("eventId"), user, at, state.start, state.count, state.cartCents, record.timestamp());
        }

        /** An event stops a waiting trigger that it is not before, unless it stands at the deadline or behind it. Nothing comes later than 5 s. */
        private void cancel(List<UserState.Pending> pending, String user, byte rule, long at, long waitMs) {
            for (int i = pending.size() - 1; i >= 0; i--) {
                long trigger = pending.get(i).at();
                if (at < trigger || at >= trigger + waitMs) continue;
                pending.remove(i);
                timers.delete(timerKey(trigger + waitMs, rule, user));
            }
        }

        private void arm(UserState state, List<UserState.Pending> pending, String user, byte rule, long at, long waitMs) {
            pending.add(new UserState.Pending(at, event.get("eventId").toString(), state.start, state.count, state.cartCents));
            timers.put(timerKey(at + waitMs, rule, user), new byte[0]);
        }

        /** Fires what is due at or before the watermark, in order of the deadlines. */
        private void fire(long watermark) {
            if (watermark < scannedTo) return;
            try (KeyValueIterator<byte[], byte[]> due = timers.range(bound(scannedTo), bound(watermark + 1))) {
                while (due.hasNext()) {
                    KeyValue<byte[], byte[]> timer = due.next();
                    ByteBuffer key = ByteBuffer.wrap(timer.key);
                    // The range's end is inclusive, but no timer is as short as a bound.
                    long deadline = key.getLong();
                    byte rule = key.get();
                    fireOne(deadline, rule, new String(timer.key, 9, timer.key.length - 9, StandardCharsets.UTF_8));
                    timers.delete(timer.key);
                }
            }
            scannedTo = watermark + 1;
        }

        private void fireOne(long deadline, byte rule, String user) {
            UserState state = UserState.of(users.get(user));
            long at = deadline - (rule == CART_RULE ? CART_WAIT_MS : CHECKOUT_WAIT_MS);
            List<UserState.Pending> pending = rule == CART_RULE ? state.carts : state.checkouts;
            UserState.Pending found = pending.stream().filter(waiting -> waiting.at() == at).findFirst().orElseThrow();
            pending.remove(found);
            users.put(user, state.toBytes());
            String name = rule == CART_RULE ? "cart_abandoned" : "checkout_idle";
            String id = (rule == CART_RULE ? "cart:" : "idle:") + found.eventId();
            emit(name, id, user, deadline, found.sessionStart(), found.sessionEvents(), found.cartCents(), deadline);
        }

        private void emit(String rule, String id, String user, long at, long start, int events, long cents, long timestamp) {
            String json = "{\"commandId\":\"" + id + "\",\"userId\":\"" + user + "\",\"rule\":\"" + rule + "\",\"at\":" + at
                + ",\"sessionStart\":" + start + ",\"sessionEvents\":" + events + ",\"cartCents\":" + cents + "}";
            context.forward(new Record<>(user, json.getBytes(StandardCharsets.UTF_8), timestamp));
        }

        private void decode(byte[] value) {
            try {
                decoder = DecoderFactory.get().binaryDecoder(value, FRAME_BYTES, value.length - FRAME_BYTES, decoder);
                event = reader.read(event, decoder);
            } catch (IOException error) {
                throw new IllegalStateException("not a product event", error);
            }
        }

        private long cents() {
            var properties = (java.util.Map<?, ?>) event.get("properties");
            double amount = ((Number) properties.get(price)).doubleValue();
            return Math.round(amount * 100) * ((Number) properties.get(qty)).longValue();
        }

        private static byte[] timerKey(long deadline, byte rule, String user) {
            byte[] id = user.getBytes(StandardCharsets.UTF_8);
            return ByteBuffer.allocate(9 + id.length).putLong(deadline).put(rule).put(id).array();
        }

        private static byte[] bound(long deadline) {
            return Arrays.copyOf(ByteBuffer.allocate(8).putLong(deadline).array(), 8);
        }
    }
}
