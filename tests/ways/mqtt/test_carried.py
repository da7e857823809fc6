"""What MQTT says of a message goes along beside it; what others publish counts as it is kept."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.ways.mqtt.carried import Extra, Message, extra_of, publish_of
from ei.ways.mqtt.encoding import encode
from ei.ways.mqtt.packets import Publish, Wanted
from ei.ways.mqtt.properties import NONE, Properties
from ei.ways.mqtt.reasons import MqttError, Reason

ALL = Properties(
    payload_format=1, expiry_s=100, content_type="c", response_topic="r", correlation=b"x",
    user=(("a", "b"),),
)  # fmt: skip


def got(message: Message, wanted: Wanted | None = None) -> Publish | None:
    return publish_of(message, wanted or Wanted("#", 2), identifier=None, origin=b"me")


def test_properties_go_along_and_time_runs() -> None:
    extra = extra_of(Publish("t", b"p", 1, is_retained=True, properties=ALL), b"you")
    message = Message("t", b"p", extra, is_kept=True, age_s=30.5)

    packet = got(message)

    assert packet is not None
    assert (packet.qos, packet.is_retained, packet.properties.expiry_s) == (1, False, 70)
    assert packet.properties.user == ALL.user
    assert got(Message("t", b"p", extra, is_kept=True, age_s=100)) is None


@pytest.mark.parametrize(
    ("extra", "is_kept", "qos"),
    [(b"", True, 2), (b"", False, 0), (b"of another program", True, 2), (b"\x91\x02", False, 0),
     (b"\x91\xff", True, 0)],
)  # fmt: skip
def test_what_comes_from_elsewhere_counts_as_it_is_kept(
    extra: bytes, qos: int, *, is_kept: bool
) -> None:
    packet = got(Message("t", b"", extra, is_kept=is_kept))

    assert packet is not None
    assert packet.qos == qos


@given(st.binary(max_size=60))
def test_any_extra_bytes_are_carried(extra: bytes) -> None:
    packet = got(Message("t", b"", extra, is_kept=True))

    assert packet is None or 0 <= packet.qos <= 2


def test_flags_are_as_the_subscription_says() -> None:
    extra = extra_of(Publish("t", b"", 2, is_retained=True), b"me")
    kept = Message("t", b"", extra, is_kept=True)

    assert got(kept, Wanted("#", is_foreign=True)) is None
    as_published = got(kept, Wanted("#", 1, as_published=True))
    assert as_published is not None
    assert (as_published.is_retained, as_published.qos) == (True, 1)
    late = got(Message("t", b"", extra, is_kept=True, is_late=True))
    assert late is not None
    assert late.is_retained
    assert late.properties is NONE


def test_properties_are_bounded() -> None:
    many = Properties(user=(("a" * 1_000, "b" * 1_000),) * 3)

    with pytest.raises(MqttError) as caught:
        _ = extra_of(Publish("t", b"", properties=many), b"")

    assert caught.value.reason is Reason.QUOTA


@pytest.mark.parametrize(
    "extra",
    [
        Extra(1, payload_format=300),
        Extra(1, expiry_s=1 << 40),
        Extra(1, expiry_s=-1),
        Extra(1, content_type="x" * 70_000),
        Extra(1, content_type="a\0b"),
        Extra(1, correlation=bytes(70_000)),
        Extra(1, user=(("a", "b"),) * 65),
        Extra(1, user=(("a\0", "b"),)),
        Extra(1, response_topic="a/#"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_properties_that_no_client_may_get_are_left_out(extra: Extra) -> None:
    packet = got(Message("t", b"p", msgspec.msgpack.encode(extra), is_kept=True))

    assert packet == Publish("t", b"p", 2)
    assert encode(packet, version=5)
