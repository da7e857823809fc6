"""What happens to a host is plain data."""

from typing import get_args

import msgspec

from ei.host.events import DatagramReceived, HostEvent
from ei.sdk import Address


def test_every_event_is_frozen() -> None:
    assert all(kind.__struct_config__.frozen for kind in get_args(HostEvent))


def test_an_event_survives_being_written_down() -> None:
    event = DatagramReceived(Address(b"s" * 16), 1, 2, b"data", None)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=DatagramReceived) == event
