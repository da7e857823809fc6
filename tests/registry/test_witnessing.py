import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry.test_logged import KEYS, TRUST, grown
from tests.registry.world import LOG, keys_of

from ei.registry.ledger import Ledger
from ei.registry.notes import COSIGNATURE, Checkpoint, NoteKey, parse_note, parse_signature
from ei.registry.tiles import TileReader
from ei.registry.tree import consistency_proof
from ei.registry.witnessing import Answer, answer, make_request

WITNESS = keys_of("witness")
NAME = "witness.test/w"


def asked(request: bytes, seen: Checkpoint | None) -> Answer:
    return answer(request, seen, TRUST.key, WITNESS, NAME, unix_s=7)


class Log:
    """A log as it was at two sizes."""

    def __init__(self, old: int, new: int) -> None:
        self.files: dict[str, bytes] = {}
        self.old = grown(old, self.files)
        self.old_note = self.files["pending"]
        _ = grown(new, self.files)
        self.note, self.new = Ledger(self.files, TRUST).newest()
        reader = TileReader(new, lambda name, _limit: self.files[name])
        self.proof = consistency_proof(old, new, reader)


LOGGED = Log(3, 7)


def test_what_goes_on_is_cosigned_with_the_time() -> None:
    said = asked(make_request(3, LOGGED.proof, LOGGED.note), LOGGED.old)

    assert (said.status, said.seen) == (200, LOGGED.new)
    line = parse_signature(said.body.decode().rstrip("\n"))
    key = NoteKey(NAME, COSIGNATURE, WITNESS.identity_key)
    assert LOGGED.note.with_signatures([line]).is_signed_by(key)
    assert line.signature[:8] == (7).to_bytes(8, "big")


def test_the_first_one_and_the_same_one_need_no_proof() -> None:
    assert asked(make_request(0, [], LOGGED.note), None).status == 200
    assert asked(make_request(7, [], LOGGED.note), LOGGED.new).status == 200


OTHER = Checkpoint(LOG, 3, bytes(32))


@pytest.mark.parametrize(
    ("request_", "seen", "status"),
    [
        (make_request(2, LOGGED.proof, LOGGED.note), LOGGED.old, 409),  # it has seen another size
        (make_request(0, [], LOGGED.note), LOGGED.old, 409),
        (make_request(7, [], LOGGED.note), Checkpoint(LOG, 7, bytes(32)), 409),
        (make_request(3, LOGGED.proof, LOGGED.note), OTHER, 422),  # another tree
        (make_request(3, LOGGED.proof[1:], LOGGED.note), LOGGED.old, 422),
        (make_request(0, LOGGED.proof, LOGGED.note), None, 422),
        (make_request(9, [], LOGGED.note), LOGGED.old, 400),
        (make_request(3, [bytes(32)] * 64, LOGGED.note), LOGGED.old, 400),
        (make_request(3, [b"short"], LOGGED.note), LOGGED.old, 400),
        (b"old 03\n\n" + bytes(LOGGED.note), LOGGED.old, 400),
        (b"", None, 400),
    ],
    ids=range(11),
)
def test_what_does_not_is_refused(request_: bytes, seen: Checkpoint | None, status: int) -> None:
    said = asked(request_, seen)

    assert (said.status, said.seen) == (status, None)
    if status == 409:
        assert seen is not None
        assert said.body == b"%d\n" % seen.size


def test_another_log_and_another_key_are_refused() -> None:
    request = make_request(0, [], LOGGED.note)
    strange = NoteKey(LOG, TRUST.key.kind, bytes(32))

    assert asked(request.replace(LOG.encode(), b"other/log"), None).status == 404
    assert answer(request, None, strange, WITNESS, NAME, unix_s=7).status == 403
    assert KEYS.identity_key == TRUST.key.key
    assert parse_note(LOGGED.old_note).is_signed_by(TRUST.key)


@given(st.binary(max_size=200))
def test_no_bytes_raise(noise: bytes) -> None:
    for request in (noise, b"old 0\n" + noise + b"\n\n" + bytes(LOGGED.note)):
        assert asked(request, None).status in {200, 400, 403, 404, 409, 422}
