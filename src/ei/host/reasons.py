"""Why the stack of a host drops what its datapath let through, by the words of its statistics.

Words that the datapath has for the same thing are the datapath's: `bad_end_to_end`,
`no_listener`, `receiver_busy`.
"""

HOST_REASONS = {
    "unknown_source": "The records know no host with the address that a datagram came from.",
    "bad_frame": "The plaintext of a datagram is no frame.",
    "answer_refused": "A peer asked for an answer, and too much waits for its session already.",
    "revocation_stale": "A node was not called: its domain's list of revoked keys is too old.",
    "send_refused": "The pipe to the node took no more, or there is none.",
    "stream_without_port": "A stream named no port within 5 s, or ended before it did.",
    "stream_one_way": "A peer opened a stream that goes one way only.",
    "unrouted_full": "Too many streams, of one peer or of all, have not named their port yet.",
}
"""Each word, and what happened."""
