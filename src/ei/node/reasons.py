"""Why a message for the node itself, not for one of its services, came to nothing."""

NODE_REASONS = {
    "unknown_service": "A control message of a service that no node has.",
    "control_refused": "A message for a peer that is not there, or for which too much waits.",
    "asked_too_often": "A peer asks about more packets a second than it is answered.",
    "asked_twice": "A question about a packet that is under way here already, as in a loop.",
    "not_asked": "An answer about a packet that was not asked, or came too late.",
    "answered_too_often": "More answers to one question than a packet can have hops.",
    "no_member": "A message for a cluster, from a node that is no member of it.",
    "bad_message": "A member says what is no message of a cluster.",
    "not_sent": "A message for a member that is not there, or for which too much waits.",
    "bad_statement": "A node of the domain stated what it has not signed, or of another packet.",
}
"""Each word, and what happened."""
