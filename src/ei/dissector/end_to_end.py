"""The payload of a packet with protection `datagrams`: what two hosts say to each other. Pure.

Layouts: docs/reference/wire.md section 8.
"""

from ei.dissector.walk import Malformed, Walk

TAG_BYTES = 16
HALF = 4
"""The type of half an initiation."""
REASON = "bad_end_to_end"


def end_to_end(walk: Walk) -> None:
    """Pass a whole payload: a sealed datagram, or a handshake message.

    Raises:
        Malformed: it is too short, or of an unknown type.
    """
    if walk.number("ei.e2e.key_id", 4, reason=REASON) != 0:
        _ = walk.take("ei.e2e.counter", 8, reason=REASON)
        if walk.left < TAG_BYTES:
            raise Malformed(REASON)
        _ = walk.take("ei.e2e.ciphertext", walk.left - TAG_BYTES)
        _ = walk.take("ei.e2e.tag", TAG_BYTES)
        return
    kind = walk.number("ei.e2e.type", 1, reason=REASON)
    _ = walk.take("ei.e2e.half" if kind == HALF else "ei.e2e.suite", 1, reason=REASON)
    _ = walk.take("ei.e2e.reserved", 2, reason=REASON)
    match kind:
        case 1:
            _ = walk.take("ei.e2e.sender_key_id", 4, reason=REASON)
            _ = walk.take("ei.e2e.offered_suites", 4, reason=REASON)
            _ = walk.take("ei.e2e.handshake", walk.left)
        case 2:
            _ = walk.take("ei.e2e.sender_key_id", 4, reason=REASON)
            _ = walk.take("ei.e2e.receiver_key_id", 4, reason=REASON)
            _ = walk.take("ei.e2e.handshake", walk.left)
        case 3:
            _ = walk.take("ei.e2e.receiver_key_id", 4, reason=REASON)
            _ = walk.take("ei.e2e.cookie", walk.left)
        case 4:
            _ = walk.take("ei.e2e.sender_key_id", 4, reason=REASON)
            _ = walk.take("ei.e2e.handshake", walk.left)
        case _:
            raise Malformed(REASON)
