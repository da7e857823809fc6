import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.sdk import Address, Way, read_way, write_way

DESTINATION, NODE = Address(b"d" * 16), Address(b"n" * 16)

domains = st.lists(st.integers(0, 2**32 - 1), max_size=4).map(tuple)
ways = st.builds(
    Way,
    destination=st.just(DESTINATION),
    node=st.sampled_from([None, NODE]),
    avoid=domains,
    require=domains,
)


@given(ways)
def test_what_is_written_is_read_again(way: Way) -> None:
    assert read_way(write_way(way)) == way


@given(st.binary(max_size=80))
def test_no_metadata_breaks_the_reader(metadata: bytes) -> None:
    way = read_way(metadata)

    assert way is None or len(way.destination) == 16


def test_the_layout_is_pinned() -> None:
    way = Way(DESTINATION, NODE, avoid=(1,), require=(0x01020304,))

    assert write_way(Way(DESTINATION)) == DESTINATION
    assert write_way(Way(DESTINATION, NODE)) == DESTINATION + NODE
    assert write_way(way) == DESTINATION + NODE + bytes.fromhex("0001000000 0104030201")


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"d" * 15,
        b"d" * 31,
        b"d" * 32 + bytes(4),
        b"d" * 32 + b"\2" + bytes(4),
        b"d" * 32 + bytes(45),
    ],
)
def test_what_is_no_way_is_told_apart(metadata: bytes) -> None:
    assert read_way(metadata) is None
