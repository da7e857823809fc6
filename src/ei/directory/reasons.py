"""Why a directory message is refused, or a question has no answer, in words that counters have."""

from ei.records.reasons import RECORD_REASONS

DIRECTORY_REASONS = {
    **RECORD_REASONS,
    "long_message": "A control message of service 2 is longer than any that there is.",
    "bad_message": "Bytes are no message of service 2, or not in its one form.",
    "hosts_may_not": "A host sent what only nodes send.",
    "nodes_may_not": "A node sent what only hosts send.",
    "attachment_asked": "A host asked where a host is attached: nodes alone may know.",
    "not_its_own": "A host registered the attachment of another.",
    "not_home": "A node asked this domain's directory about another domain.",
    "not_a_directory": "A node that answers for no domain was asked, or given an attachment.",
    "other_answer": "A record is no answer to what was asked.",
    "is_a_node": "A host asked for a node, whose record it has from its file.",
    "unasked": "An answer came from somebody who was not asked.",
    "busy": "A peer asks too often, or too much is asked at once.",
    "store_full": "A directory has no room on its disk for an attachment.",
    "no_directory": "No node that answers for the domain has a record.",
    "no_answer": "No directory that was asked has answered in time.",
}
"""Each word, and what happened. What a host is told as `Unfound` is among them."""
