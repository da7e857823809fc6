"""A session is on the disk as it is in memory, and leaves nothing behind."""

from ei.ways.mqtt.packets import Ack, Kind, Publish, Wanted, Will
from ei.ways.mqtt.session import Record, Session, Sessions, Subscribed, ending, to_forget


def record(client_id: str = "a") -> Record:
    wanted = Subscribed(Wanted("t/#", 2), 7, b"nonce")
    return Record(client_id, b"token", 100, (wanted,), Will("w", b"gone"), None)


def test_what_is_written_is_read() -> None:
    disk: dict[bytes, bytes] = {}
    for name in ("a", "ab"):
        session = Session(record(name))
        taken, _ = session.incoming.take(9)
        number = session.outgoing.send(b"mark", Publish("t", b"", 2)).number
        _ = session.outgoing.take(Ack(Kind.PUBREC, number))
        writes = [session.record(), session.sent(number), *session.taken(taken)]
        disk |= {key: value for key, value in writes if value is not None}
    disk[to_forget("mqtt-1")] = b""

    sessions = Sessions(disk.items())
    first, second = sessions

    assert (first.client_id, second.client_id) == ("a", "ab")
    assert sessions.forgotten == ["mqtt-1"]
    assert first.record() == Session(record()).record()
    assert first.outgoing.again() == (Ack(Kind.PUBREL, 1),)
    assert first.incoming.take(9) == (taken, False)
    assert (first.is_saved, first.is_lasting, first.is_kept) == (True, True, True)

    beginnings, ended = ending("a", ["mqtt-2"])
    left = {key for key in disk if not key.startswith(tuple(beginnings))}
    left -= {key for key, value in ended if value is None}
    assert len(left) == 5
    assert (to_forget("mqtt-2"), b"") in ended


def test_only_a_place_that_is_to_last_has_a_name() -> None:
    session = Session(record())
    kept = Subscribed(Wanted("t", 1), None, b"1", is_named=True)

    assert str(kept.name(session)).startswith("mqtt-")
    assert kept.name(session) != Subscribed(Wanted("t", 1), None, b"2", is_named=True).name(session)
    assert Subscribed(Wanted("t", 0), None, b"1").name(session) is None
    session.expiry_s = 0
    assert kept.name(session) is not None
    assert (session.is_kept, session.publisher) == (True, b"token".hex())
