/* probe: does what its packets say, by all that the interface of 2026-11-30 has.
 *
 * module.wasm was made of it on that day, and is not made again: modules of that day go on running.
 */
#include "ei.h"

static int calls;

static int is(ei_bytes metadata, const char *word) { return ei_equal(metadata, ei_text(word)); }

/* Write the entries of a store whose keys begin with k. */
static void write_entries(ei_store store) {
    ei_bytes key, value;
    ei_u32 count = 0;
    ei_scan(store, ei_text("k"));
    while (ei_next(&key, &value)) count++;
    ei_write_array(2 * count);
    ei_scan(store, ei_text("k"));
    while (ei_next(&key, &value)) {
        ei_write_bytes(key);
        ei_write_bytes(value);
    }
}

static void use_store(ei_store store) {
    ei_bytes key = ei_text("k1"), old = ei_text("old");
    ei_write_array(5);
    ei_write_bool(ei_get(store, key).at == 0);
    ei_put(store, key, old, 60);
    ei_put(store, ei_text("k2"), ei_join(ei_text("long"), (ei_bytes){ei_take(600), 600}), 0);
    ei_write_uint(ei_get(store, ei_text("k2")).length);
    ei_write_bool(ei_compare_and_put(store, key, ei_text("new"), ei_text("other"), 0));
    ei_write_bool(ei_compare_and_put(store, key, ei_text("new"), old, 0));
    ei_delete(store, ei_text("k2"));
    write_entries(store);
}

/* Send back, as payload, all that can be read. */
static void tell(const ei_packet *packet) {
    const ei_context *ctx = ei_ctx();
    ei_bytes query = ei_attachment_of(packet->source);
    ei_bytes record = ei_record(query);
    ei_reader peers = ei_peers();
    ei_packet answer = *packet;
    ei_u64 one = ei_random(), other = ei_random();

    ei_write_array(12);
    ei_write_number(ctx->now_s);
    ei_write_number(ctx->unix_s);
    ei_write_bytes(ctx->node);
    ei_write_uint(ctx->domain);
    ei_write_bytes(ei_config_text("name"));
    ei_write_number(ei_config_number("number"));
    ei_write_uint(ei_read_map(&peers));
    ei_write_bool(ei_is_peer(packet->ingress));
    ei_write_bool(one != other);
    if (record.at)
        ei_write_raw(record);
    else
        ei_write_text("not asked");
    use_store(EI_STABLE);
    use_store(EI_EPHEMERAL);
    answer.payload = ei_take_written();
    ei_send_packet(&answer, packet->ingress);
}

void on_packet(const ei_packet *packet) {
    ei_bytes word = packet->metadata;
    calls++;
    if (is(word, "trap")) __builtin_trap();
    if (is(word, "loop"))
        for (;;) __asm__ volatile("");
    if (is(word, "hoard")) (void)ei_take(64u << 20);
    if (is(word, "none")) return;
    if (is(word, "garbage")) {
        ei_begin(0, 1);
        ei_write_text("no packet");
        ei_end();
    }
    if (is(word, "storm"))
        for (int count = 0; count < 100; count++) ei_send(packet->ingress);
    if (is(word, "calls")) ei_count("seen", (ei_u64)calls);
    if (is(word, "hold")) {
        ei_hold(ei_attachment_of(packet->source), 2);
        return;
    }
    if (is(word, "forward")) {
        ei_forward(packet->ingress, 5, word);
        return;
    }
    if (is(word, "refuse")) {
        ei_refuse("unwanted", 5, word);
        return;
    }
    if (is(word, "hand on")) {
        ei_hand_on(5, word);
        return;
    }
    if (is(word, "tell")) {
        tell(packet);
        return;
    }
    ei_send(packet->ingress);
}

/* Whatever is said is said back. */
void on_control(ei_bytes sender, ei_reader message) {
    ei_bytes said = {message.at, (ei_u32)(message.end - message.at)};
    ei_reader rest = message;
    ei_skip(&rest);
    if (rest.at != rest.end) __builtin_trap();
    ei_send_control(said, sender);
}

void on_timer(ei_bytes key) {
    ei_cancel_timer(key);
    ei_revoke(key);
}

void on_peer(ei_bytes peer, int is_up) {
    if (is_up) ei_resolve(ei_attachment_of(peer));
}

void on_start(void) { ei_set_timer(ei_text("first"), 1); }

void on_event(ei_u32 kind, ei_u32 fields, ei_reader event) {
    for (; fields; fields--) ei_skip(&event);
    ei_count("seen", kind);
}
