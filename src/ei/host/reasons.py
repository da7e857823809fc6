"""Why the stack of a host drops what its datapath let through, by the words of its statistics.

Receipts have the same words, and a few of their own. Those that the datapath has for the same thing
are the datapath's: `bad_end_to_end`, `no_listener`, `receiver_busy`.
"""

HOST_REASONS = {
    "unknown_source": "Nobody knows the host that something came from, not the directory either.",
    "unknown_destination": "Nor the host that a datagram was for.",
    "contacts_full": "Too much waits already until the directory says who its sources are.",
    "bad_message": "A node sent what is no message of the directory.",
    "unexpected_message": "A node sent a message of the directory that answers nothing.",
    "bad_frame": "The plaintext of a datagram is no frame.",
    "given_up": "A message waited for its session longer than its sender did.",
    "not_asked": "A node answered a question about a packet that was not asked, or no more.",
    "bad_statement": "A node's statement about a packet is forged, replayed or from off its way.",
    "answer_refused": "A peer asked for an answer, and too much waits for its session already.",
    "revocation_stale": "A node was not called: its domain's list of revoked keys is too old.",
    "send_refused": "The pipe to the node took no more, or there is none.",
    "stream_without_port": "A stream named no port within 5 s, or ended before it did.",
    "stream_one_way": "A peer opened a stream that goes one way only.",
    "stream_unasked": "A node opened a stream on a connection that is for a service's own.",
    "unrouted_full": "Too many streams, of one peer or of all, have not named their port yet.",
}
"""Each word, and what happened."""

RECEIPT_REASONS = {
    "not_taken": "Nobody listens at the destination, or there is no room: it says so itself.",
    "no_session": "The destination did not answer the handshake that a message waited for.",
    "no_answer": "No directory said in time who the destination is.",
}
"""Why a receipt says `dropped`, besides what nodes and the stack count."""
