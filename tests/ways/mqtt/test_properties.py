"""Properties are those of the standard, and bounded; `test_decoding` reads them in packets."""

import pytest

from ei.ways.mqtt.properties import (
    MAX_USER_PROPERTIES,
    NONE,
    TABLE,
    Place,
    Properties,
    read_properties,
    write_properties,
)
from ei.ways.mqtt.reasons import MqttError
from ei.ways.mqtt.wire import Reader


def test_each_attribute_is_one_property() -> None:
    assert [name for name, _, _ in TABLE.values()] == list(Properties.__struct_fields__)
    assert all(Place.WILL in places for _, _, places in [TABLE[0x26], TABLE[0x18]])


def test_none_are_one_byte() -> None:
    assert write_properties(NONE) == write_properties(Properties()) == b"\0"
    assert read_properties(Reader(b"\0"), Place.PUBLISH) is NONE


def test_user_properties_are_bounded() -> None:
    many = Properties(user=(("a", "b"),) * (MAX_USER_PROPERTIES + 1))

    with pytest.raises(MqttError, match="more than 64 times"):
        _ = read_properties(Reader(write_properties(many)), Place.PUBLISH)


def test_what_no_property_can_be_is_never_written() -> None:
    with pytest.raises(AssertionError, match="is no TEXT"):
        _ = write_properties(Properties(content_type=b"x"))  # type: ignore[arg-type]
