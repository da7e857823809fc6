"""Control messages have names and are readable; what is no whole message is left as it is."""

from typing import get_args

import msgspec
import pytest

from ei.attachment.messages import AttachmentMessage
from ei.cluster.messages import Message as ClusterMessage
from ei.directory.messages import Answer, Ask, Attached, Find, Named
from ei.directory.messages import Message as DirectoryMessage
from ei.dissector.messages import MESSAGES, control_message
from ei.dissector.walk import Walk
from ei.routing.messages import Message as RoutingMessage
from ei.runtime.loader import find_services, load_service

BOB = b"\xfd\x35\0\0\0\2" + bytes(range(10))


def fields_of(payload: bytes, service: int = 2) -> list[str]:
    walk = Walk(b"")
    control_message(walk, payload, service)
    return [field.value for field in walk.fields]


def test_every_message_has_the_name_that_the_code_gives_it() -> None:
    kinds = {
        2: get_args(DirectoryMessage),
        3: get_args(RoutingMessage),
        6: get_args(AttachmentMessage),
        5: get_args(ClusterMessage),
    }
    for folder in find_services().values():
        loaded = load_service(folder)
        if loaded.messages:
            kinds[loaded.manifest.id] = loaded.messages

    assert {
        service: {kind.__struct_config__.tag: kind.__name__ for kind in each}
        for service, each in kinds.items()
    } == MESSAGES


def test_a_message_is_shown_with_its_name_and_as_text() -> None:
    answer = Answer(Named("bob.isp-b"), (bytes(300), b"abc"), 120, is_leased=True)

    assert fields_of(msgspec.msgpack.encode(Find(7, Named("bob.isp-b")))) == [
        "Find",
        '[0, 7, [0, "bob.isp-b"]]',
    ]
    assert fields_of(msgspec.msgpack.encode(Ask(Attached(BOB), 120))) == [
        "Ask",
        "[5, [2, fd35:0:2:1:203:405:607:809], 120]",
    ]
    assert fields_of(msgspec.msgpack.encode(answer)) == [
        "Answer",
        '[6, [0, "bob.isp-b"], [<300 B>, 616263], 120, true]',
    ]
    assert fields_of(b"\x91\x09", service=99) == ["kind 9", "[9]"]


def test_what_would_not_fit_a_line_is_cut() -> None:
    (_, text) = fields_of(msgspec.msgpack.encode([1, "x" * 300]))

    assert len(text) == 203
    assert text.endswith("xxx...")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x90",
        b"\x91",
        b"\x91\x05x",
        b"\x05",
        b"\x92\x05\xc4",
        b"\x92\x05\x80",
        b"\x91\xcc\x80",
    ],
)
def test_what_is_no_whole_message_has_no_text(payload: bytes) -> None:
    assert fields_of(payload) == []


def test_a_value_inside_too_many_others_is_none() -> None:
    assert fields_of(b"\x92\x05" + b"\x91" * 20 + b"\x01") == []
