import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What is kept of a user, as one binary value: two sessions, and what each rule waits for. */
final class UserState {
    static final List<String> TYPES = List.of(
        "page_viewed", "product_viewed", "cart_item_added", "checkout_started", "purchase_completed", "app_opened", "ping");
    /** Milliseconds without an event that end a session. */
    private static final long GAP_MS = 30 * 60_000L;
    private static final long NEVER = Long.MIN_VALUE;

    /** A trigger that waits for its deadline, with the session as it was when it came. */
    record Pending(long at, String eventId, long sessionStart, int sessionEvents, long cartCents) {}

    long start = NEVER;
    long last = NEVER;
    int count;
    final int[] perType = new int[TYPES.size()];
    long cartCents;
    long previousStart = NEVER;
    long previousLast = NEVER;
    int previousCount;
    /** Largest times of what stops each rule: triggers that come late are judged by them. */
    long lastAny = NEVER;
    long lastCartOrPurchase = NEVER;
    /** By deadline; nearly always none or one. */
    final List<Pending> carts = new ArrayList<>(1);
    final List<Pending> checkouts = new ArrayList<>(1);

    /** In offset order; a late event may move the start back. */
    void extendSession(int type, long at, long cents) {
        if (count == 0 || at > last + GAP_MS) {
            previousStart = start;
            previousLast = last;
            previousCount = count;
            start = at;
            last = at;
            count = 0;
            cartCents = 0;
            java.util.Arrays.fill(perType, 0);
        }
        start = Math.min(start, at);
        last = Math.max(last, at);
        count++;
        perType[type]++;
        cartCents += cents;
    }

    byte[] toBytes() {
        int size = 8 * 8 + 2 * 4 + 4 * perType.length + 2;
        for (Pending pending : carts) size += sizeOf(pending);
        for (Pending pending : checkouts) size += sizeOf(pending);
        ByteBuffer to = ByteBuffer.allocate(size);
        to.putLong(start).putLong(last).putInt(count).putLong(cartCents);
        to.putLong(previousStart).putLong(previousLast).putInt(previousCount).putLong(lastAny).putLong(lastCartOrPurchase);
        for (int n : perType) to.putInt(n);
        write(carts, to);
        write(checkouts, to);
        return to.position() == size ? to.array() : java.util.Arrays.copyOf(to.array(), to.position());
    }

    static UserState of(byte[] bytes) {
        UserState state = new UserState();
        if (bytes == null) return state;
        ByteBuffer from = ByteBuffer.wrap(bytes);
        state.start = from.getLong();
        state.last = from.getLong();
        state.count = from.getInt();
        state.cartCents = from.getLong();
        state.previousStart = from.getLong();
        state.previousLast = from.getLong();
        state.previousCount = from.getInt();
        state.lastAny = from.getLong();
        state.lastCartOrPurchase = from.getLong();
        for (int i = 0; i < state.perType.length; i++) state.perType[i] = from.getInt();
        read(state.carts, from);
        read(state.checkouts, from);
        return state;
    }

    private static int sizeOf(Pending pending) {
        return 8 + 8 + 4 + 8 + 2 + 3 * pending.eventId.length();
    }

    private static void write(List<Pending> list, ByteBuffer to) {
        to.put((byte) list.size());
        for (Pending pending : list) {
            byte[] id = pending.eventId.getBytes(StandardCharsets.UTF_8);
            to.putLong(pending.at).putLong(pending.sessionStart).putInt(pending.sessionEvents).putLong(pending.cartCents);
            to.putShort((short) id.length).put(id);
        }
    }

    private static void read(List<Pending> list, ByteBuffer from) {
        int n = from.get();
        for (int i = 0; i < n; i++) {
            long at = from.getLong();
            long sessionStart = from.getLong();
            int sessionEvents = from.getInt();
            long cartCents = from.getLong();
            byte[] id = new byte[from.getShort()];
            from.get(id);
            list.add(new Pending(at, new String(id, StandardCharsets.UTF_8), sessionStart, sessionEvents, cartCents));
        }
    }
}
