"""Any bytes as records, lists and requests; also as what an honest key has signed.

The first byte chooses: a record file; one envelope; bodies of records, of a list or of a request,
which the key that is trusted most then signs, so that what lies behind the signature is reached.
"""

from harness import followed, fuzz

with followed("ei"):
    from ei.errors import IntegrityError
    from ei.records import envelope, requests
    from ei.records.governance import Governance
    from ei.records.keys import make_keys
    from ei.records.lists import TAG as LIST_TAG
    from ei.records.lists import open_list
    from ei.records.record_files import decode_records
    from ei.records.record_set import verify_records, with_records

import msgspec

KEYS = make_keys(bytes(32))
TRUST = {"isp-a": KEYS.identity_key}
GOVERNANCE = Governance(frozenset({KEYS.identity_key}), 1)
NOW_S = 1_800_000_000.0


def believe(envelopes: list[bytes]) -> None:
    """Whatever it is, it counts or is refused."""
    records = verify_records(envelopes, trust=TRUST, unix_s=NOW_S, governance=GOVERNANCE)
    again = verify_records(envelopes, trust=TRUST, unix_s=NOW_S, governance=GOVERNANCE)
    assert records == again
    more = with_records(records, envelopes, unix_s=NOW_S)
    assert more.domains == records.domains


def signed(tag: bytes, body: bytes) -> bytes:
    return msgspec.msgpack.encode([1, KEYS.identity_key, body, KEYS.sign(tag + body)])


def bodies(packed: bytes) -> list[bytes]:
    try:
        return msgspec.msgpack.decode(packed, type=list[bytes])[:16]
    except msgspec.DecodeError:
        return [packed]


def one(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    try:
        match kind:
            case b"f":
                believe(decode_records(rest))
            case b"r":
                believe([signed(envelope.TAG, body) for body in bodies(rest)])
            case b"l":
                named = [[KEYS.identity_key, KEYS.sign(LIST_TAG + rest)]]
                believe([msgspec.msgpack.encode([2, rest, named])])
            case b"q":
                _ = requests.open_request(signed(requests.TAG, rest), unix_s=NOW_S)
            case _:
                believe([data])
                _ = open_list(data)
                _ = envelope.open_record(data)
    except IntegrityError:
        pass


fuzz(one)
