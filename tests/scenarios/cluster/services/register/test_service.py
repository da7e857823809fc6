"""What register promises, as scripts of events."""

from pathlib import Path

import msgspec

from ei.lab.catalogue import SCENARIOS
from ei.scenarios.cluster.services.register.service import PAGE, Answer, Request
from ei.sdk import DropPacket, SendPacket
from ei.testing.playbook import Playbook

FOLDER: Path = SCENARIOS / "cluster" / "services" / "register"


def asked(play: Playbook, request: Request) -> Answer:
    (sent,) = play.packet("alice", payload=msgspec.msgpack.encode(request))
    assert isinstance(sent, SendPacket)
    return msgspec.msgpack.decode(sent.packet.payload, type=Answer)


def test_what_was_written_last_is_read() -> None:
    play = Playbook(FOLDER, peers=["alice"])
    assert asked(play, Request(1, "read", "x", "")) == Answer(1, None, ())
    _ = asked(play, Request(2, "write", "x", "one"))
    _ = asked(play, Request(3, "write", "x", "two"))

    assert asked(play, Request(4, "read", "x", "")) == Answer(4, "two", ())


def test_what_was_added_is_listed_page_by_page() -> None:
    play = Playbook(FOLDER, peers=["alice"])
    added = sorted(f"{number:03}" for number in range(PAGE + 5))
    for number, value in enumerate(added):
        _ = asked(play, Request(number, "add", "s", value))

    first = asked(play, Request(100, "list", "s", ""))
    second = asked(play, Request(101, "list", "s", first.values[-1]))

    assert [*first.values, *second.values] == added
    assert asked(play, Request(102, "list", "s", added[-1])).values == ()


def test_what_is_no_request_is_dropped() -> None:
    play = Playbook(FOLDER, peers=["alice"])

    assert play.packet("alice", payload=b"?") == (DropPacket("bad_request"),)
