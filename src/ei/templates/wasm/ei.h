/* ei.h: service modules in C, by the interface of 2026-11-30 (docs/reference/module-abi.md).
 *
 *     #include "ei.h"
 *
 *     void on_packet(const ei_packet *packet) {
 *         ei_drop("unwanted");
 *     }
 *
 * Include it in one file, and compile that with clang and lld, without any library:
 *
 *     clang --target=wasm32 -O2 -ffreestanding -nostdlib -mbulk-memory \
 *         -Wl,--no-entry -Wl,-z,stack-size=16384 -o module.wasm module.c
 *
 * A module is a function: each event has a memory of its own, so what is kept is kept in a store, and
 * nothing is ever freed. What goes wrong is a trap: that event comes to nothing, and is counted.
 */
#ifndef EI_H
#define EI_H

typedef unsigned char ei_u8;
typedef unsigned int ei_u32;
typedef int ei_i32;
typedef unsigned long long ei_u64;

#define EI_NOTHING ((ei_u32) - 1)
#define EI_ADDRESS_BYTES 16
#define EI_UNUSED __attribute__((unused)) static
#define EI_QUICK __attribute__((unused, always_inline)) static inline

/* Numbers wherever they begin. */
typedef ei_u32 __attribute__((aligned(1))) ei_any32;
typedef ei_u64 __attribute__((aligned(1))) ei_any64;

typedef struct {
    const ei_u8 *at;
    ei_u32 length;
} ei_bytes;

/* Where in a msgpack value to read on. */
typedef struct {
    const ei_u8 *at, *end;
} ei_reader;

/* What arrived; addresses are of 16 bytes, `egress` of none where no next hop was chosen. */
typedef struct {
    ei_u32 service;
    ei_bytes ingress, source;
    ei_u64 connection;
    ei_bytes metadata, payload;
    ei_u32 traffic_class, hop_limit, protection;
    int is_covered, is_traced;
    ei_bytes egress;
} ei_packet;

typedef struct {
    double now_s, unix_s;
    ei_bytes node;
    ei_u32 domain;
} ei_context;

typedef enum { EI_STABLE = 0, EI_EPHEMERAL = 1 } ei_store;

/* -- what a module defines: the first at least ---------------------------------------------------- */

void on_packet(const ei_packet *packet);
__attribute__((weak)) void on_control(ei_bytes sender, ei_reader message);
__attribute__((weak)) void on_timer(ei_bytes key);
__attribute__((weak)) void on_peer(ei_bytes peer, int is_up);
__attribute__((weak)) void on_start(void);
/* Of every other kind: what follows the kind's number in its array. */
__attribute__((weak)) void on_event(ei_u32 kind, ei_u32 fields, ei_reader event);

/* -- what it imports ------------------------------------------------------------------------------ */

#define EI_IMPORT(name) __attribute__((import_module("ei"), import_name(#name)))

EI_IMPORT(event) void ei_import_event(void *to);
EI_IMPORT(effect) void ei_import_effect(const void *from, ei_u32 length);
EI_IMPORT(context) ei_u32 ei_import_context(void *to, ei_u32 capacity);
EI_IMPORT(peers) ei_u32 ei_import_peers(void *to, ei_u32 capacity);
EI_IMPORT(peer) ei_u32 ei_import_peer(const void *address, double *to);
EI_IMPORT(record) ei_u32 ei_import_record(const void *query, ei_u32 length, void *to, ei_u32 capacity);
EI_IMPORT(get) ei_u32 ei_import_get(ei_store, const void *key, ei_u32 length, void *to, ei_u32 capacity);
EI_IMPORT(put)
void ei_import_put(ei_store, const void *key, ei_u32, const void *value, ei_u32, double ttl_s);
EI_IMPORT(delete) void ei_import_delete(ei_store, const void *key, ei_u32 length);
EI_IMPORT(compare_and_put)
ei_u32 ei_import_compare_and_put(ei_store, const void *key, ei_u32, const void *value, ei_u32,
                                 const void *expected, ei_u32, double ttl_s);
EI_IMPORT(scan) void ei_import_scan(ei_store, const void *prefix, ei_u32 length);
EI_IMPORT(next) ei_u32 ei_import_next(void *to, ei_u32 capacity);
EI_IMPORT(random) void ei_import_random(void *to, ei_u32 length);

/* -- memory and bytes ----------------------------------------------------------------------------- */

extern ei_u8 __heap_base;
static ei_u8 *ei_heap = &__heap_base;

/* Take memory; what is in it is not said. */
EI_UNUSED void *ei_take(ei_u32 length) {
    ei_u8 *taken = ei_heap;
    ei_u32 have = __builtin_wasm_memory_size(0) << 16;
    ei_heap += (length + 7) & ~7u;
    if ((ei_u32)ei_heap > have || ei_heap < taken) {
        ei_u32 pages = ((ei_u32)ei_heap - have + 0xffff) >> 16;
        if (ei_heap < taken || __builtin_wasm_memory_grow(0, pages) == EI_NOTHING) __builtin_trap();
    }
    return taken;
}

EI_UNUSED void ei_copy(void *to, const void *from, ei_u32 length) {
    __builtin_memcpy(to, from, length);
}

EI_UNUSED ei_bytes ei_text(const char *text) {
    ei_u32 length = 0;
    while (text[length]) length++;
    return (ei_bytes){(const ei_u8 *)text, length};
}

EI_UNUSED int ei_equal(ei_bytes a, ei_bytes b) {
    if (a.length != b.length) return 0;
    for (ei_u32 i = 0; i < a.length; i++)
        if (a.at[i] != b.at[i]) return 0;
    return 1;
}

EI_UNUSED ei_bytes ei_join(ei_bytes a, ei_bytes b) {
    ei_u8 *joined = ei_take(a.length + b.length);
    ei_copy(joined, a.at, a.length);
    ei_copy(joined + a.length, b.at, b.length);
    return (ei_bytes){joined, a.length + b.length};
}

EI_UNUSED ei_bytes ei_part(ei_bytes of, ei_u32 from, ei_u32 length) {
    if (from > of.length) from = of.length;
    if (length > of.length - from) length = of.length - from;
    return (ei_bytes){of.at + from, length};
}

/* -- reading msgpack: another kind than was asked for is a trap ------------------------------------ */

/* A number of 1, 2, 4 or 8 bytes. */
EI_QUICK ei_u64 ei_big_endian(ei_reader *from, ei_u32 bytes) {
    const ei_u8 *at = from->at;
    if ((ei_u32)(from->end - at) < bytes) __builtin_trap();
    from->at += bytes;
    if (bytes == 1) return *at;
    if (bytes == 2) return (ei_u64)at[0] << 8 | at[1];
    if (bytes == 4) return __builtin_bswap32(*(const ei_any32 *)at);
    return __builtin_bswap64(*(const ei_any64 *)at);
}

EI_UNUSED ei_u8 ei_peek(const ei_reader *from) {
    if (from->at >= from->end) __builtin_trap();
    return *from->at;
}

/* What comes next: to be asked of all that strangers write, such as control messages. */
EI_UNUSED int ei_is_nil(const ei_reader *from) { return ei_peek(from) == 0xc0; }

EI_UNUSED int ei_is_uint(const ei_reader *from) {
    ei_u8 first = ei_peek(from);
    return first < 0x80 || (first >= 0xcc && first <= 0xcf);
}

/* Bytes or text. */
EI_UNUSED int ei_is_bytes(const ei_reader *from) {
    ei_u8 first = ei_peek(from);
    return (first & 0xe0) == 0xa0 || (first >= 0xc4 && first <= 0xc6) || (first >= 0xd9 && first <= 0xdb);
}

EI_UNUSED int ei_is_array(const ei_reader *from) {
    ei_u8 first = ei_peek(from);
    return (first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd;
}

EI_UNUSED ei_u64 ei_read_uint(ei_reader *from) {
    ei_u32 first = (ei_u32)ei_big_endian(from, 1);
    if (first < 0x80) return first;
    if (first == 0xcc) return ei_big_endian(from, 1);
    if (first == 0xcd) return ei_big_endian(from, 2);
    if (first == 0xce) return ei_big_endian(from, 4);
    if (first == 0xcf) return ei_big_endian(from, 8);
    __builtin_trap();
}

EI_UNUSED int ei_read_bool(ei_reader *from) {
    ei_u32 first = (ei_u32)ei_big_endian(from, 1);
    if (first != 0xc2 && first != 0xc3) __builtin_trap();
    return first == 0xc3;
}

/* A number with or without a point. */
EI_UNUSED double ei_read_number(ei_reader *from) {
    if (ei_peek(from) != 0xcb) return (double)ei_read_uint(from);
    from->at++;
    union {
        ei_u64 bits;
        double number;
    } read = {ei_big_endian(from, 8)};
    return read.number;
}

/* Bytes or text. */
EI_UNUSED ei_bytes ei_read_bytes(ei_reader *from) {
    ei_u32 first = (ei_u32)ei_big_endian(from, 1), length;
    if ((first & 0xe0) == 0xa0)
        length = first & 0x1f;
    else if (first >= 0xc4 && first <= 0xc6)
        length = (ei_u32)ei_big_endian(from, 1u << (first - 0xc4));
    else if (first >= 0xd9 && first <= 0xdb)
        length = (ei_u32)ei_big_endian(from, 1u << (first - 0xd9));
    else
        __builtin_trap();
    if ((ei_u32)(from->end - from->at) < length) __builtin_trap();
    ei_bytes read = {from->at, length};
    from->at += length;
    return read;
}

/* How many elements follow. */
EI_UNUSED ei_u32 ei_read_array(ei_reader *from) {
    ei_u32 first = (ei_u32)ei_big_endian(from, 1);
    if ((first & 0xf0) == 0x90) return first & 0x0f;
    if (first != 0xdc && first != 0xdd) __builtin_trap();
    return (ei_u32)ei_big_endian(from, 2u << (first - 0xdc));
}

/* How many pairs of key and value follow. */
EI_UNUSED ei_u32 ei_read_map(ei_reader *from) {
    ei_u32 first = (ei_u32)ei_big_endian(from, 1);
    if ((first & 0xf0) == 0x80) return first & 0x0f;
    if (first != 0xde && first != 0xdf) __builtin_trap();
    return (ei_u32)ei_big_endian(from, 2u << (first - 0xde));
}

/* Go past one value, whatever it is. */
EI_UNUSED void ei_skip(ei_reader *from) {
    for (ei_u32 left = 1; left; left--) {
        ei_u32 first = ei_peek(from), size = 0;
        if (first < 0x80 || first >= 0xe0 || (first >= 0xc0 && first <= 0xc3)) {
            from->at++;
        } else if ((first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd) {
            left += ei_read_array(from);
        } else if ((first & 0xf0) == 0x80 || first == 0xde || first == 0xdf) {
            left += 2 * ei_read_map(from);
        } else if ((first >= 0xca && first <= 0xd3)) {
            size = first < 0xcc ? 4u << (first - 0xca) : 1u << (first & 3);
            from->at++;
            (void)ei_big_endian(from, size);
        } else if (first >= 0xc7 && first <= 0xc9) {
            from->at++;
            size = (ei_u32)ei_big_endian(from, 1u << (first - 0xc7)) + 1;
        } else if (first >= 0xd4 && first <= 0xd8) {
            from->at++;
            size = (1u << (first - 0xd4)) + 1;
        } else {
            (void)ei_read_bytes(from);
        }
        if (first < 0xca || first > 0xd3) {
            if ((ei_u32)(from->end - from->at) < size) __builtin_trap();
            from->at += size;
        }
    }
}

/* -- writing msgpack: into one buffer, which an effect empties ------------------------------------- */

static ei_u8 *ei_written;
static ei_u32 ei_length, ei_capacity;

__attribute__((unused, noinline)) static void ei_grow(ei_u32 bytes) {
    ei_u32 capacity = 2 * (ei_length + bytes) + 256;
    ei_u8 *larger = ei_take(capacity);
    if (ei_length) ei_copy(larger, ei_written, ei_length);
    ei_written = larger;
    ei_capacity = capacity;
}

EI_QUICK ei_u8 *ei_room(ei_u32 bytes) {
    if (ei_length + bytes > ei_capacity) ei_grow(bytes);
    ei_u8 *room = ei_written + ei_length;
    ei_length += bytes;
    return room;
}

EI_QUICK void ei_write_big_endian(ei_u32 first, ei_u64 number, ei_u32 bytes) {
    ei_u8 *to = ei_room(bytes + 1);
    to[0] = (ei_u8)first;
    if (bytes == 1) to[1] = (ei_u8)number;
    if (bytes == 4) *(ei_any32 *)(to + 1) = __builtin_bswap32((ei_u32)number);
    if (bytes == 8) *(ei_any64 *)(to + 1) = __builtin_bswap64(number);
}

EI_UNUSED void ei_write_nil(void) { *ei_room(1) = 0xc0; }
EI_UNUSED void ei_write_bool(int is_true) { *ei_room(1) = is_true ? 0xc3 : 0xc2; }

EI_UNUSED void ei_write_uint(ei_u64 number) {
    if (number < 0x80)
        *ei_room(1) = (ei_u8)number;
    else
        ei_write_big_endian(0xcf, number, 8);
}

EI_UNUSED void ei_write_number(double number) {
    union {
        double number;
        ei_u64 bits;
    } written = {number};
    ei_write_big_endian(0xcb, written.bits, 8);
}

EI_UNUSED void ei_write_bytes(ei_bytes bytes) {
    if (bytes.length < 256)
        ei_write_big_endian(0xc4, bytes.length, 1);
    else
        ei_write_big_endian(0xc6, bytes.length, 4);
    ei_copy(ei_room(bytes.length), bytes.at, bytes.length);
}

EI_UNUSED void ei_write_text(const char *text) {
    ei_bytes bytes = ei_text(text);
    ei_write_big_endian(0xdb, bytes.length, 4);
    ei_copy(ei_room(bytes.length), bytes.at, bytes.length);
}

EI_UNUSED void ei_write_array(ei_u32 elements) {
    if (elements < 16)
        *ei_room(1) = (ei_u8)(0x90 | elements);
    else
        ei_write_big_endian(0xdd, elements, 4);
}

EI_UNUSED void ei_write_map(ei_u32 pairs) { ei_write_big_endian(0xdf, pairs, 4); }

/* What is msgpack already. */
EI_UNUSED void ei_write_raw(ei_bytes value) { ei_copy(ei_room(value.length), value.at, value.length); }

/* Begin an effect by its number and how many fields follow; then write these. */
EI_UNUSED void ei_begin(ei_u32 kind, ei_u32 fields) {
    ei_length = 0;
    ei_write_array(fields + 1);
    ei_write_uint(kind);
}

EI_UNUSED void ei_end(void) {
    ei_import_effect(ei_written, ei_length);
    ei_length = 0;
}

/* Take what was written, for a value of a store or a message, in place of an effect. */
EI_UNUSED ei_bytes ei_take_written(void) {
    ei_bytes taken = {ei_written, ei_length};
    ei_length = ei_capacity = 0;
    return taken;
}

/* -- what may be read besides the event ------------------------------------------------------------ */

/* Of what is asked with a buffer: once more with a larger one where it was too small. */
#define EI_ASK(answer, ask)                                   \
    ei_bytes answer = {ei_take(256), 256};                    \
    do {                                                      \
        ei_u8 *to = (ei_u8 *)answer.at;                       \
        ei_u32 capacity = answer.length;                      \
        answer.length = ask;                                  \
        if (answer.length == EI_NOTHING) answer.at = 0;       \
        if (!answer.at || answer.length <= capacity) break;   \
        answer.at = ei_take(answer.length);                   \
    } while (1)

EI_UNUSED ei_reader ei_reader_of(ei_bytes bytes) {
    return (ei_reader){bytes.at, bytes.at + bytes.length};
}

static ei_context ei_the_context;
static ei_reader ei_the_config;

EI_UNUSED const ei_context *ei_ctx(void) {
    if (!ei_the_config.at) {
        EI_ASK(answer, ei_import_context(to, capacity));
        ei_reader from = ei_reader_of(answer);
        (void)ei_read_array(&from);
        ei_the_context.now_s = ei_read_number(&from);
        ei_the_context.unix_s = ei_read_number(&from);
        ei_the_context.node = ei_read_bytes(&from);
        ei_the_context.domain = (ei_u32)ei_read_uint(&from);
        ei_the_config = from;
    }
    return &ei_the_context;
}

/* Where the value of a name of the configuration begins; a name that is not in it is a trap. */
EI_UNUSED ei_reader ei_config(const char *name) {
    (void)ei_ctx();
    ei_reader from = ei_the_config;
    ei_bytes wanted = ei_text(name);
    for (ei_u32 left = ei_read_map(&from); left; left--) {
        if (ei_equal(ei_read_bytes(&from), wanted)) return from;
        ei_skip(&from);
    }
    __builtin_trap();
}

EI_UNUSED double ei_config_number(const char *name) {
    ei_reader from = ei_config(name);
    return ei_read_number(&from);
}

EI_UNUSED ei_bytes ei_config_text(const char *name) {
    ei_reader from = ei_config(name);
    return ei_read_bytes(&from);
}

/* The smoothed round trip to a peer in seconds; below 0 where its pipe is not up. */
EI_UNUSED double ei_peer_rtt_s(ei_bytes address) {
    double rtt_s = -1;
    if (address.length == EI_ADDRESS_BYTES) (void)ei_import_peer(address.at, &rtt_s);
    return rtt_s;
}

EI_UNUSED int ei_is_peer(ei_bytes address) { return ei_peer_rtt_s(address) >= 0; }

/* All peers that are up: a map from addresses to round trips. */
EI_UNUSED ei_reader ei_peers(void) {
    EI_ASK(answer, ei_import_peers(to, capacity));
    return ei_reader_of(answer);
}

/* The answer to a query, which is msgpack; `at` is 0 where there is none yet. */
EI_UNUSED ei_bytes ei_record(ei_bytes query) {
    EI_ASK(answer, ei_import_record(query.at, query.length, to, capacity));
    return answer;
}

/* A value; `at` is 0 where there is none. */
EI_UNUSED ei_bytes ei_get(ei_store store, ei_bytes key) {
    EI_ASK(answer, ei_import_get(store, key.at, key.length, to, capacity));
    return answer;
}

/* Keep a value for ttl_s seconds; 0 for ever. */
EI_UNUSED void ei_put(ei_store store, ei_bytes key, ei_bytes value, double ttl_s) {
    ei_import_put(store, key.at, key.length, value.at, value.length, ttl_s);
}

EI_UNUSED void ei_delete(ei_store store, ei_bytes key) {
    ei_import_delete(store, key.at, key.length);
}

/* Keep a value if `expected` is there (`at` 0: nothing); say whether it was. */
EI_UNUSED int ei_compare_and_put(ei_store store, ei_bytes key, ei_bytes value, ei_bytes expected,
                                 double ttl_s) {
    return ei_import_compare_and_put(store, key.at, key.length, value.at, value.length, expected.at,
                                     expected.at ? expected.length : EI_NOTHING, ttl_s) == 0;
}

/* Begin to go through the keys with a prefix, in their order. */
EI_UNUSED void ei_scan(ei_store store, ei_bytes prefix) {
    ei_import_scan(store, prefix.at, prefix.length);
}

/* The next key and value; returns 0 at the end. */
EI_UNUSED int ei_next(ei_bytes *key, ei_bytes *value) {
    EI_ASK(answer, ei_import_next(to, capacity));
    if (!answer.at) return 0;
    ei_reader from = ei_reader_of(answer);
    (void)ei_read_array(&from);
    *key = ei_read_bytes(&from);
    *value = ei_read_bytes(&from);
    return 1;
}

/* Fit for keys, and repeatable: it follows from the node's seed and the number of the event. */
EI_UNUSED ei_u64 ei_random(void) {
    ei_u64 drawn;
    ei_import_random(&drawn, sizeof drawn);
    return drawn;
}

/* -- what may be asked for ------------------------------------------------------------------------- */

/* Send the packet that arrived, as it came, to a peer. */
EI_UNUSED void ei_send(ei_bytes to) {
    ei_begin(0, 2);
    ei_write_nil();
    ei_write_bytes(to);
    ei_end();
}

EI_UNUSED void ei_write_packet(const ei_packet *packet) {
    ei_write_array(12);
    ei_write_uint(packet->service);
    ei_write_bytes(packet->ingress);
    ei_write_bytes(packet->source);
    ei_write_uint(packet->connection);
    ei_write_bytes(packet->metadata);
    ei_write_bytes(packet->payload);
    ei_write_uint(packet->traffic_class);
    ei_write_uint(packet->hop_limit);
    ei_write_uint(packet->protection);
    ei_write_bool(packet->is_covered);
    ei_write_bool(packet->is_traced);
    ei_write_bytes(packet->egress);
}

/* Send another packet to a peer; a payload of one's own needs the capability `payload`. */
EI_UNUSED void ei_send_packet(const ei_packet *packet, ei_bytes to) {
    ei_begin(0, 2);
    ei_write_packet(packet);
    ei_write_bytes(to);
    ei_end();
}

/* Drop the packet that arrived, for a word of the manifest's drop_reasons. */
EI_UNUSED void ei_drop(const char *reason) {
    ei_begin(1, 1);
    ei_write_text(reason);
    ei_end();
}

/* Hand the packet that arrived on to the next service of the chain. */
EI_UNUSED void ei_pass(void) {
    ei_begin(5, 1);
    ei_write_nil();
    ei_end();
}

/* Keep the packet that arrived until a query is answered, then handle it again. */
EI_UNUSED void ei_hold(ei_bytes query, double timeout_s) {
    ei_begin(2, 2);
    ei_write_raw(query);
    ei_write_number(timeout_s);
    ei_end();
}

/* The query where a host is attached. */
EI_UNUSED ei_bytes ei_attachment_of(ei_bytes host) {
    ei_length = 0;
    ei_write_array(2);
    ei_write_uint(0);
    ei_write_bytes(host);
    return ei_take_written();
}

/* Begin a decision about packets just like the one that arrived; its action follows. */
EI_UNUSED void ei_begin_decision(void) {
    ei_begin(3, 1);
    ei_write_array(4);
    ei_write_nil();
}

EI_UNUSED void ei_end_decision(double ttl_s, ei_bytes tag) {
    ei_write_number(ttl_s);
    ei_write_bytes(tag);
    ei_end();
}

/* Send to a peer, now and for ttl_s seconds all packets just like the one that arrived. */
EI_UNUSED void ei_forward(ei_bytes to, double ttl_s, ei_bytes tag) {
    ei_begin_decision();
    ei_write_array(2);
    ei_write_uint(0);
    ei_write_array(1);
    ei_write_array(1);
    ei_write_bytes(to);
    ei_end_decision(ttl_s, tag);
    ei_send(to);
}

/* Hand on, now and for ttl_s seconds all packets just like the one that arrived. */
EI_UNUSED void ei_hand_on(double ttl_s, ei_bytes tag) {
    ei_begin_decision();
    ei_write_array(1);
    ei_write_uint(1);
    ei_end_decision(ttl_s, tag);
    ei_pass();
}

/* Drop, now and for ttl_s seconds all packets just like the one that arrived. */
EI_UNUSED void ei_refuse(const char *reason, double ttl_s, ei_bytes tag) {
    ei_begin_decision();
    ei_write_array(2);
    ei_write_uint(2);
    ei_write_text(reason);
    ei_end_decision(ttl_s, tag);
    ei_drop(reason);
}

/* Forget the decisions that were made with a tag. */
EI_UNUSED void ei_revoke(ei_bytes tag) {
    ei_begin(4, 1);
    ei_write_bytes(tag);
    ei_end();
}

/* Say something, a value of msgpack, to the same service at a peer. */
EI_UNUSED void ei_send_control(ei_bytes message, ei_bytes to) {
    ei_begin(6, 2);
    ei_write_raw(message);
    ei_write_bytes(to);
    ei_end();
}

EI_UNUSED void ei_set_timer(ei_bytes key, double after_s) {
    ei_begin(7, 2);
    ei_write_bytes(key);
    ei_write_number(after_s);
    ei_end();
}

EI_UNUSED void ei_cancel_timer(ei_bytes key) {
    ei_begin(8, 1);
    ei_write_bytes(key);
    ei_end();
}

EI_UNUSED void ei_resolve(ei_bytes query) {
    ei_begin(9, 1);
    ei_write_raw(query);
    ei_end();
}

/* Count under a word of the manifest's counters. */
EI_UNUSED void ei_count(const char *name, ei_u64 amount) {
    ei_begin(10, 2);
    ei_write_text(name);
    ei_write_uint(amount);
    ei_end();
}

/* -- where an event comes in ----------------------------------------------------------------------- */

enum { EI_PACKET = 0, EI_CONTROL = 1, EI_TIMER = 2, EI_PEER = 3, EI_STARTED = 6 };

EI_UNUSED void ei_read_packet(ei_reader *from, ei_packet *to) {
    ei_u32 fields = ei_read_array(from);
    to->service = (ei_u32)ei_read_uint(from);
    to->ingress = ei_read_bytes(from);
    to->source = ei_read_bytes(from);
    to->connection = ei_read_uint(from);
    to->metadata = ei_read_bytes(from);
    to->payload = ei_read_bytes(from);
    to->traffic_class = (ei_u32)ei_read_uint(from);
    to->hop_limit = (ei_u32)ei_read_uint(from);
    to->protection = (ei_u32)ei_read_uint(from);
    to->is_covered = ei_read_bool(from);
    to->is_traced = ei_read_bool(from);
    to->egress = ei_read_bytes(from);
    for (; fields > 12; fields--) ei_skip(from); /* of a later interface */
}

__attribute__((export_name("handle"))) void ei_handle(ei_u32 length) {
    ei_u8 *event = ei_take(length);
    ei_import_event(event);
    ei_reader from = {event, event + length};
    ei_u32 fields = ei_read_array(&from) - 1;
    ei_u32 kind = (ei_u32)ei_read_uint(&from);
    if (kind == EI_PACKET) {
        ei_packet packet;
        ei_read_packet(&from, &packet);
        on_packet(&packet);
    } else if (kind == EI_CONTROL && on_control) {
        ei_bytes sender = ei_read_bytes(&from);
        on_control(sender, from);
    } else if (kind == EI_TIMER && on_timer) {
        on_timer(ei_read_bytes(&from));
    } else if (kind == EI_PEER && on_peer) {
        ei_bytes peer = ei_read_bytes(&from);
        on_peer(peer, ei_read_bool(&from));
    } else if (kind == EI_STARTED && on_start) {
        on_start();
    } else if (on_event) {
        on_event(kind, fields, from);
    }
}

#endif
