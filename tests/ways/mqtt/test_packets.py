"""Kinds of packets have the numbers of the standard."""

from ei.ways.mqtt.packets import Kind


def test_kinds_are_numbered_as_in_the_standard() -> None:
    assert [kind.value for kind in Kind] == list(range(1, 16))
    assert (Kind.CONNECT, Kind.PUBLISH, Kind.AUTH) == (1, 3, 15)
