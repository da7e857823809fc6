from random import Random

import msgspec
import pytest

from ei.conform.drawing import draw_item, messages_of
from ei.runtime.batches import ControlReceived
from ei.runtime.loader import load_service
from ei.sdk import PacketArrived, StreamOpened


def test_the_same_randomness_draws_the_same() -> None:
    loaded = load_service("pubsub")
    one, other = Random(7), Random(7)

    assert [draw_item(loaded, one) for _ in range(50)] == [
        draw_item(loaded, other) for _ in range(50)
    ]


@pytest.mark.parametrize(
    ("name", "has_control", "has_streams"),
    [("echo", False, False), ("multicast", True, False), ("relay", True, True)],
)
def test_a_module_gets_what_it_declares(name: str, has_control: bool, has_streams: bool) -> None:  # noqa: FBT001
    loaded = load_service(name)
    random = Random(1)

    kinds = {type(draw_item(loaded, random)) for _ in range(300)}

    assert PacketArrived in kinds
    assert (ControlReceived in kinds) == has_control
    assert (StreamOpened in kinds) == has_streams


def test_messages_of_every_kind_are_made_and_can_be_read() -> None:
    loaded = load_service("multicast")

    made = messages_of(loaded)

    assert {type(each) for each in made} == set(loaded.messages)
    for each in made:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(each), type=type(each)) == each
