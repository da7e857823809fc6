/* MODULE_NAME: every packet comes back with a greeting before its payload.
 *
 * The answer depends on the payload, so it leaves no decision behind, and sees every packet.
 */
#include "ei.h"

/* Longest payload that is greeted: together with the greeting it fits into one datagram. */
#define MOST_BYTES 1000

void on_packet(const ei_packet *packet) {
    if (packet->payload.length > MOST_BYTES) {
        ei_drop("too_long");
        return;
    }
    ei_bytes greeting = ei_join(ei_config_text("greeting"), ei_text(" "));
    ei_packet answer = *packet;
    answer.payload = ei_join(greeting, packet->payload);
    ei_send_packet(&answer, packet->ingress);
}
