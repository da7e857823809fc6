"""Addresses name keys, aggregate by domain and can be written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import LocalError
from ei.records.addresses import (
    domain_number_of,
    format_address,
    make_address,
    make_group_address,
    parse_address,
)

KEY = bytes(range(32))


def test_an_address_is_pinned_by_domain_and_key() -> None:
    assert make_address(1, KEY).hex() == "fd3500000001653abcec019d2f2b4ee3"
    assert make_group_address(1, KEY, "news.isp-a").hex() == "fd350000000134ddee087ee5daa58490"


@given(st.integers(1, 2**32 - 1), st.binary(min_size=32, max_size=32))
def test_an_address_survives_being_written_for_people(number: int, key: bytes) -> None:
    address = make_address(number, key)

    assert parse_address(format_address(address)) == address
    assert parse_address(address.hex()) == address
    assert domain_number_of(address) == number


def test_hosts_and_groups_of_one_key_have_different_addresses() -> None:
    assert make_address(1, KEY) != make_group_address(1, KEY, "")


@pytest.mark.parametrize("number", [0, -1, 2**32])
def test_a_domain_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(LocalError, match=f"domain number {number} is not 1 to 4294967295"):
        make_address(number, KEY)


def test_a_key_of_wrong_length_is_refused() -> None:
    with pytest.raises(LocalError, match="has 32 bytes, not 31"):
        make_address(1, KEY[:31])


@pytest.mark.parametrize("text", ["", "alice", "2001:db8::1", "fd36::1", "zz" * 16, "fd35::1%eth0"])
def test_text_that_is_no_address_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(LocalError, match="is not an address"):
        parse_address(text)


def test_bytes_that_are_no_address_are_shown_as_hex() -> None:
    assert format_address(b"\x01\x02") == "0102"
