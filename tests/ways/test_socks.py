"""SOCKS 5 as RFC 1928 has it, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.ways.socks import (
    CONNECT,
    NONE_ACCEPTABLE,
    UDP_ASSOCIATE,
    Reply,
    Request,
    SocksError,
    choose_method,
    missing_of_request,
    read_datagram,
    read_request,
    write_datagram,
    write_reply,
)

TO_NAME = b"\x05\x01\x00\x03\x0ffiles.campus.ei\x00\x50"
TO_IPV4 = b"\x05\x03\x00\x01\xc0\x00\x02\x07\x1f\x90"
TO_IPV6 = b"\x05\x01\x00\x04" + bytes.fromhex("fd350000000100000000000000000001") + b"\x01\xbb"


@pytest.mark.parametrize(
    ("whole", "request_"),
    [
        (TO_NAME, Request(CONNECT, "files.campus.ei", 80)),
        (TO_IPV4, Request(UDP_ASSOCIATE, "192.0.2.7", 8_080)),
        (TO_IPV6, Request(CONNECT, "fd35:0:1::1", 443)),
    ],
)
def test_a_request_is_read_with_each_kind_of_address(whole: bytes, request_: Request) -> None:
    assert missing_of_request(whole[:5]) == len(whole) - 5
    assert read_request(whole) == request_


def test_only_no_authentication_is_spoken() -> None:
    assert choose_method(b"\x02\x00") == 0
    assert choose_method(b"\x02") == NONE_ACCEPTABLE
    assert choose_method(b"") == NONE_ACCEPTABLE


@pytest.mark.parametrize(
    ("head", "reply"),
    [
        (b"\x04\x01\x00\x01\x00", Reply.FAILURE),
        (b"\x05\x01\x07\x01\x00", Reply.FAILURE),
        (b"\x05\x01\x00\x02\x00", Reply.UNKNOWN_ADDRESS),
    ],
)
def test_what_is_no_request_is_refused_with_its_reply(head: bytes, reply: Reply) -> None:
    with pytest.raises(SocksError) as caught:
        _ = missing_of_request(head)

    assert caught.value.reply == reply


@pytest.mark.parametrize("name", [b"", b"a b", b"a\nb", b"a\x00", "é".encode()])
def test_a_name_of_other_than_printed_characters_is_refused(name: bytes) -> None:
    with pytest.raises(SocksError, match="printed characters"):
        _ = read_request(b"\x05\x01\x00\x03" + bytes((len(name),)) + name + b"\x00\x50")


def test_a_reply_says_where_datagrams_are_taken() -> None:
    assert write_reply(Reply.REFUSED) == b"\x05\x05\x00\x01" + bytes(6)
    assert write_reply(Reply.SUCCEEDED, "127.0.0.1", 513) == b"\x05\0\0\x01\x7f\0\0\x01\x02\x01"
    assert write_reply(Reply.SUCCEEDED, "::1", 1)[3] == 4


def test_a_datagram_is_written_as_it_is_read() -> None:
    whole = write_datagram("bob.isp-b.ei", 7, b"data")

    assert whole == b"\0\0\0\x03\x0cbob.isp-b.ei\x00\x07data"
    assert read_datagram(whole) == ("bob.isp-b.ei", 7, b"data")


def test_a_fragment_is_refused() -> None:
    with pytest.raises(SocksError, match="fragment"):
        _ = read_datagram(b"\0\0\x01\x03\x01a\x00\x07data")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_datagram_or_refused(data: bytes) -> None:
    try:
        host, port, rest = read_datagram(data)
    except SocksError:
        return
    assert data.endswith(rest)
    assert host
    assert 0 <= port <= 65_535
