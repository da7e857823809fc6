"""What requests to a proxy ask for, and what they may not."""

from http import HTTPStatus

import pytest

from ei.ways.http_heads import (
    Forward,
    Header,
    Own,
    Tunnel,
    Wish,
    is_for_people,
    passed_on,
    wish_of,
)
from ei.ways.refusals import Refusal

PORT = 8_118


def wish(method: bytes, target: bytes, *headers: Header) -> Wish:
    return wish_of(method, target, headers, own_port=PORT)


def refused(found: Wish) -> HTTPStatus:
    assert isinstance(found, Refusal), found
    return found.status


def test_connect_is_a_tunnel() -> None:
    assert wish(b"CONNECT", b"files.campus.ei:443") == Tunnel("files.campus.ei", 443)
    assert wish(b"CONNECT", b"[fd35:0:1::1]:80") == Tunnel("[fd35:0:1::1]", 80)


@pytest.mark.parametrize(
    ("target", "forward"),
    [
        (b"http://files.campus/", Forward("files.campus", 80, b"/", "files.campus")),
        (b"http://a.b:81/x?y=1#z", Forward("a.b", 81, b"/x?y=1", "a.b:81")),
        (b"http://a.b?y", Forward("a.b", 80, b"/?y", "a.b")),
        (b"HTTP://a.b", Forward("a.b", 80, b"/", "a.b")),
        (b"http://localhost:3000/", Forward("localhost", 3_000, b"/", "localhost:3000")),
    ],
)
def test_an_absolute_address_is_forwarded_in_the_form_that_servers_expect(
    target: bytes, forward: Forward
) -> None:
    assert wish(b"GET", target, (b"host", b"another")) == forward


@pytest.mark.parametrize(
    "target",
    [b"files.campus", b"a:0", b"a:65536", b"a:", b":1", b"user@a:1", b"a b:1", b"a:1/x"],
)
def test_a_tunnel_to_no_place_is_refused(target: bytes) -> None:
    assert refused(wish(b"CONNECT", target)) == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    "target",
    [
        b"https://a/",
        b"ftp://a/",
        b"http:///x",
        b"http://user:pass@a/",
        b"a/x",
        b"*",
        b"http://a:0/",
    ],
)
def test_an_address_that_is_none_is_refused(target: bytes) -> None:
    assert refused(wish(b"GET", target)) == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")],
        [(b"content-length", b"5"), (b"content-length", b"5")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
    ],
)
def test_a_body_that_ends_in_two_places_is_refused(headers: list[Header]) -> None:
    assert refused(wish(b"POST", b"http://a/", *headers)) == HTTPStatus.BAD_REQUEST


def test_own_pages_are_for_programs_that_go_through_it_and_for_those_that_ask_it() -> None:
    assert wish(b"GET", b"http://ei.local/") == Own("/", is_proxied=True)
    assert wish(b"GET", b"http://localhost:8118/ei.pac") == Own("/ei.pac", is_proxied=True)
    for host in (b"127.0.0.1:8118", b"localhost:8118", b"[::1]:8118", b"ei.local"):
        assert wish(b"GET", b"/ei.pac?x", (b"host", host)) == Own("/ei.pac", is_proxied=False)


@pytest.mark.parametrize("host", [b"evil.example", b"evil.example:8118", b"", b"localhost.evil"])
def test_a_site_whose_name_points_here_gets_nothing(host: bytes) -> None:
    assert refused(wish(b"GET", b"/", (b"host", host))) == HTTPStatus.MISDIRECTED_REQUEST


def test_another_site_gets_nothing_of_our_pages_but_its_visitor_may_follow_a_link() -> None:
    host = (b"host", b"127.0.0.1:8118")
    site = (b"sec-fetch-site", b"cross-site")
    visit = ((b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document"))
    frame = ((b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"iframe"))

    assert refused(wish(b"GET", b"/ei.pac", host, site)) == HTTPStatus.FORBIDDEN
    assert refused(wish(b"GET", b"/", host, site, *frame)) == HTTPStatus.FORBIDDEN
    assert refused(wish(b"GET", b"http://ei.local/", site)) == HTTPStatus.FORBIDDEN
    assert wish(b"GET", b"/", host, site, *visit) == Own("/", is_proxied=False)


def test_what_is_for_the_next_hop_alone_is_not_passed_on() -> None:
    headers = [
        (b"Host", b"wrong"), (b"Accept", b"*/*"), (b"Proxy-Connection", b"keep-alive"),
        (b"Proxy-Authorization", b"secret"), (b"Connection", b"keep-alive, X-Private"),
        (b"X-Private", b"1"), (b"Upgrade", b"h2c"), (b"TE", b"trailers"),
        (b"Content-Length", b"3"),
    ]  # fmt: skip

    assert passed_on(headers, authority="a.b:81") == [
        (b"Host", b"a.b:81"), (b"Accept", b"*/*"), (b"Content-Length", b"3"),
        (b"Via", b"1.1 ei"), (b"Connection", b"close"),
    ]  # fmt: skip


def test_an_answer_keeps_its_framing_whatever_connection_names() -> None:
    headers = [(b"Connection", b"close, Content-Length"), (b"Content-Length", b"3"), (b"X", b"y")]

    assert passed_on(headers) == [(b"Content-Length", b"3"), (b"X", b"y")]


def test_who_takes_html_is_a_browser() -> None:
    assert is_for_people([(b"accept", b"text/html,*/*;q=0.8")])
    assert not is_for_people([(b"accept", b"*/*")])
    assert not is_for_people([])
