"""Why a record does not count, in words that counters have."""

RECORD_REASONS = {
    "over_long": "An envelope has more than 4,096 bytes.",
    "malformed": "Bytes are no envelope of a record, or a field has the wrong type.",
    "bad_signature": "The signature does not verify.",
    "not_canonical": "A record is signed but not in the one form that means what it means.",
    "expired": "Its time is over.",
    "lives_too_long": "It would hold for longer than its kind may.",
    "bad_field": "A key, count, number or endpoint in it is out of bounds.",
    "wrong_signer": "Its signer may not state it.",
    "untrusted_domain": "It is of a domain for which no key is trusted here.",
    "unknown_domain": "Its domain has no record here, or one that has expired.",
    "unknown_host": "An attachment came without the enrolment of its host.",
    "unknown_node": "None of the nodes in it has a record.",
    "taken_number": "A domain has the number of another.",
    "squatted_name": "A name in it is not under the name of its domain.",
    "squatted_address": "Its address does not follow from its key.",
    "taken_name": "A name in it is that of another host, node or group.",
    "taken_key": "A key in it is that of another host or node.",
    "revoked": "Its domain has revoked a key in it, or the key that signed it.",
    "older": "What is known already is as new, or newer.",
}
"""Each word, and what was seen."""
