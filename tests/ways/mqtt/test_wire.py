"""Numbers and texts of MQTT; `test_decoding` has what they are parts of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.ways.mqtt.reasons import MqttError
from ei.ways.mqtt.wire import MAX_VARINT, Reader, binary, text, varint


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001"),
     (MAX_VARINT, "ffffff7f")],
)  # fmt: skip
def test_numbers_of_the_standard(value: int, data: str) -> None:
    assert varint(value).hex() == data
    assert Reader(bytes.fromhex(data)).varint() == value


@given(st.integers(0, MAX_VARINT), st.binary(max_size=50), st.text(max_size=50))
def test_what_is_written_is_read(value: int, data: bytes, word: str) -> None:
    word = word.replace("\0", "").encode("utf-8", "ignore").decode()
    reader = Reader(varint(value) + binary(data) + text(word))

    assert (reader.varint(), reader.binary(), reader.text()) == (value, data, word)
    reader.end()


@pytest.mark.parametrize("data", ["ffffffff01", "8000", "80"])
def test_a_number_that_is_none_is_malformed(data: str) -> None:
    with pytest.raises(MqttError):
        _ = Reader(bytes.fromhex(data)).varint()


def test_what_is_left_is_an_error() -> None:
    reader = Reader(b"ab")
    assert reader.take(1) == b"a"
    assert reader.left_bytes == 1

    with pytest.raises(MqttError, match="1 bytes too many"):
        reader.end()
