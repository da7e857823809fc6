import msgspec
import pytest

from ei.errors import LocalError, PeerError
from ei.runtime.batches import (
    Answer,
    ControlReceived,
    EffectBatch,
    EncodedAnswer,
    EventBatch,
    Outcome,
    QueryResolved,
)
from ei.runtime.codec import Codec
from ei.sdk import (
    Address,
    Attachment,
    AttachmentOf,
    Count,
    Resolved,
    Started,
    StreamClosed,
    StreamData,
)
from ei.testing.toys import toy_packet

A = Address(b"a" * 16)


class Join(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A message."""

    group: bytes


class Leave(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Another."""


def encoded(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def test_a_batch_comes_back_from_its_bytes_wherever_they_are() -> None:
    batch = EventBatch(1, 2, 3.0, 4.0, (Started(),))

    assert Codec(()).events(encoded(batch)) == batch
    assert Codec(()).events(memoryview(bytearray(encoded(batch)))) == batch


@pytest.mark.parametrize("junk", [b"", b"\xc0", b"\x95\x01", b"\x95\x01\x00\x00\x00\x91\x91\x63"])
def test_what_is_no_batch_is_refused(junk: bytes) -> None:
    with pytest.raises(LocalError, match="not an EventBatch: "):
        _ = Codec(()).events(junk)


@pytest.mark.parametrize("messages", [(Join,), (Join, Leave)])
def test_a_control_message_is_one_of_the_services(
    messages: tuple[type[msgspec.Struct], ...],
) -> None:
    event = Codec(messages).control(ControlReceived(A, encoded(Join(b"news"))))

    assert (event.sender, event.message) == (A, Join(b"news"))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"type": "Join", "group": 5}, r"Expected `bytes`, got `int` - at `\$.group`"),
        ({"type": "Join", "group": b"", "more": 1}, "unknown field `more`"),
        ({"type": "Shout"}, "Invalid value 'Shout' - at `\\$.type`"),
        (5, "Expected `object`, got `int`"),
    ],
)
def test_a_message_that_is_none_is_refused_with_the_field_that_is_wrong(
    message: object, said: str
) -> None:
    with pytest.raises(PeerError, match=f"not one of the service's messages: .*{said}"):
        _ = Codec((Join, Leave)).control(ControlReceived(A, encoded(message)))


def test_a_service_without_messages_takes_none() -> None:
    with pytest.raises(PeerError, match="the service has no control messages"):
        _ = Codec(()).control(ControlReceived(A, b""))


def test_an_answer_of_the_directory_comes_back_from_its_bytes() -> None:
    query, record = AttachmentOf(A), Attachment(A, (A,))

    codec = Codec(())

    assert codec.resolved(QueryResolved(encoded(query), encoded(record))) == Resolved(query, record)
    assert codec.resolved(QueryResolved(encoded(query), None)) == Resolved(query, None)
    with pytest.raises(LocalError, match="not a query with its record: "):
        _ = codec.resolved(QueryResolved(b"", None))


def test_a_reply_is_an_effect_batch() -> None:
    answer = EncodedAnswer(Outcome.ANSWERED, "", msgspec.Raw(encoded((Count("seen"),))))

    reply = Codec(()).reply(1, 2, [answer])

    assert reply.hex() == "930102919301a091930aa47365656e01"
    assert msgspec.msgpack.decode(reply, type=EffectBatch).answers == (
        Answer(Outcome.ANSWERED, "", ([10, "seen", 1],)),
    )


def test_a_refused_batch_drops_its_packets_closes_its_streams_and_counts_the_rest() -> None:
    items = (
        toy_packet(),
        StreamData(2, b"lost", is_end=False),
        StreamClosed(4, "ended", 0, 0),
        Started(),
    )

    refusal = Codec(()).refusal(EventBatch(7, 3, 1.0, 1e9, items), "store_failed")

    assert msgspec.msgpack.decode(refusal, type=EffectBatch) == EffectBatch(
        7,
        3,
        (
            Answer(Outcome.DROPPED, "store_failed", ()),
            Answer(Outcome.NONE, "", ([15, 2],)),
            Answer(Outcome.NONE, "", ()),
            Answer(Outcome.NONE, "", ([10, "store_failed", 1],)),
        ),
    )
