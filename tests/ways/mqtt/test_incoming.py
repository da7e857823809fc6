"""Messages of QoS 2 of a client have ordinals that ascend, and each identifier one at a time."""

import pytest

from ei.ways.mqtt.incoming import MAX_UNRELEASED, Incoming, Taken
from ei.ways.mqtt.reasons import MqttError, Reason


def test_an_identifier_keeps_its_ordinal_until_it_is_released() -> None:
    incoming = Incoming()
    assert incoming.take(5) == (Taken(5, 1), True)
    assert incoming.take(5) == (Taken(5, 1), False)
    incoming.publish(5)
    assert incoming.is_done(5)

    assert incoming.release(5)

    assert not incoming.release(5)
    assert not incoming.is_done(5)
    assert incoming.take(5) == (Taken(5, 2), True)


def test_ordinals_go_on_from_what_the_disk_has() -> None:
    incoming = Incoming((Taken(5, 8),), last=3)

    assert incoming.take(5) == (Taken(5, 8), False)
    assert incoming.take(6) == (Taken(6, 9), True)
    assert "2 not released, last 9" in repr(incoming)


def test_what_is_not_released_is_bounded() -> None:
    incoming = Incoming(tuple(Taken(number, number) for number in range(1, MAX_UNRELEASED + 1)))

    with pytest.raises(MqttError) as caught:
        _ = incoming.take(60_000)

    assert caught.value.reason is Reason.TOO_MANY_AT_ONCE
    assert len(incoming) == MAX_UNRELEASED
