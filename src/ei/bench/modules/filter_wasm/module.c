/* filter_wasm: packets go to the host that their metadata names, unless it wants none of their source.
 *
 * A host says so itself, and may say otherwise later. `filter` is the same in Python.
 *
 *     clang --target=wasm32 -O2 -ffreestanding -nostdlib -mbulk-memory -Wl,--no-entry \
 *         -Wl,-z,stack-size=16384 -I ../../../templates/wasm -o module.wasm module.c
 */
#include "ei.h"

enum { ADMIT = 0, BLOCK = 1 };

void on_packet(const ei_packet *packet) {
    ei_bytes to = packet->metadata, pair = ei_join(to, packet->source);
    if (ei_get(EI_STABLE, pair).at)
        ei_refuse("blocked", ei_config_number("decision_s"), pair);
    else if (!ei_is_peer(to))
        ei_drop("unknown_host");
    else
        ei_forward(to, ei_config_number("decision_s"), pair);
}

/* [ADMIT or BLOCK, source]; whatever else a host says is nothing. */
void on_control(ei_bytes sender, ei_reader message) {
    if (!ei_is_array(&message) || ei_read_array(&message) != 2 || !ei_is_uint(&message)) return;
    ei_u64 kind = ei_read_uint(&message);
    if (kind > BLOCK || !ei_is_bytes(&message)) return;
    ei_bytes pair = ei_join(sender, ei_read_bytes(&message));
    if (kind == ADMIT)
        ei_delete(EI_STABLE, pair);
    else
        ei_put(EI_STABLE, pair, ei_text(""), 0);
    ei_revoke(pair);
    if (kind == BLOCK) ei_count("blocks", 1);
}
