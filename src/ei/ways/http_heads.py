"""What the head of an HTTP request to a proxy asks for, and what is passed on of it. Pure.

    CONNECT files.campus:443              a tunnel
    GET http://files.campus/a?b           forwarded, in the form that servers expect
    GET /ei.pac                           a page of the proxy's own

Whatever two programs could read in two ways is refused rather than passed on (RFC 9112, 11).
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from ei.ways.refusals import Refusal
from ei.ways.socks import Reply

Header = tuple[bytes, bytes]

OWN_NAME = "ei.local"
"""Where the proxy shows itself, to programs that go through it."""
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
HTTP_PORT = 80
MAX_PORT = 65_535
AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
HOP_BY_HOP = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
        b"proxy-connection", b"te", b"upgrade",
    )
)  # fmt: skip
"""What is said to the next hop alone (RFC 9110, section 7.6.1); framing is written anew."""
VIA = (b"Via", b"1.1 ei")


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Bytes both ways to a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Forward:
    """A request for a server, with the target that it is sent there."""

    host: str
    port: int
    target: bytes
    authority: str


@dataclass(frozen=True, slots=True)
class Own:
    """A page of the proxy's own. `is_proxied`: the program went through the proxy for it."""

    path: str
    is_proxied: bool


Wish = Tunnel | Forward | Own | Refusal


def wish_of(method: bytes, target: bytes, headers: Sequence[Header], *, own_port: int) -> Wish:
    """Return what a request asks for, or why it is refused.

    Args:
        headers: Names in small letters.
        own_port: On which the proxy listens.
    """
    problem = _ambiguity(headers)
    if problem:
        return _refused(HTTPStatus.BAD_REQUEST, problem)
    text = target.decode("latin-1")
    if method == b"CONNECT":
        return _tunnel(text)
    return _own(text, headers) if text.startswith("/") else _forward(text, headers, own_port)


def _tunnel(text: str) -> Wish:
    place = _authority(text)
    if place is None or place[1] is None:
        return _refused(HTTPStatus.BAD_REQUEST, f"CONNECT {text[:80]!r} names no host and port")
    return Tunnel(place[0], place[1])


def _forward(text: str, headers: Sequence[Header], own_port: int) -> Wish:
    scheme, mark, rest = text.partition("://")
    if not mark or scheme.lower() != "http":
        return _refused(
            HTTPStatus.BAD_REQUEST, f"{text[:80]!r} is no http:// address; the rest needs CONNECT"
        )
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path = rest[len(authority) :].partition("#")[0]
    path = path if path.startswith("/") else f"/{path}"
    place = _authority(authority)
    if place is None:
        return _refused(HTTPStatus.BAD_REQUEST, f"{authority[:80]!r} is no host, or host and port")
    host, port = place[0], place[1] or HTTP_PORT
    if host.lower() == OWN_NAME or (host in LOOPBACK and port == own_port):
        return _page(path, headers, is_proxied=True)
    return Forward(host, port, path.encode("latin-1"), authority)


def passed_on(headers: Iterable[Header], *, authority: str | None = None) -> list[Header]:
    """Return the headers for the next hop: of a request with its authority, else of an answer."""
    kept = list(headers)
    named = {
        name.strip().lower()
        for key, value in kept
        if key.lower() == b"connection"
        for name in value.split(b",")
    }
    dropped = HOP_BY_HOP | (named - {b"content-length", b"transfer-encoding", b"host"})
    passed = [(key, value) for key, value in kept if key.lower() not in dropped]
    if authority is None:
        return passed
    # One request, one stream: the server need not keep it open.
    rest = [(key, value) for key, value in passed if key.lower() != b"host"]
    return [(b"Host", authority.encode("latin-1")), *rest, VIA, (b"Connection", b"close")]


def _ambiguity(headers: Sequence[Header]) -> str:
    names = [name for name, _ in headers]
    if b"transfer-encoding" in names and b"content-length" in names:
        return "a body with a Content-Length and a Transfer-Encoding has two ends"
    if names.count(b"content-length") > 1 or names.count(b"transfer-encoding") > 1:
        return "a body whose length is said twice"
    return ""


def _authority(text: str) -> tuple[str, int | None] | None:
    """Return host and port, if there is one; user names are none of a proxy's business."""
    found = AUTHORITY.fullmatch(text)
    if found is None:
        return None
    port = int(found[2]) if found[2] else None
    if port is not None and not 1 <= port <= MAX_PORT:
        return None
    return found[1], port


def _own(text: str, headers: Sequence[Header]) -> Wish:
    """A page for whoever asks the proxy as a server: under its own name only.

    A site that lets its name point to this machine (DNS rebinding) asks under that name.
    """
    said = next((value.decode("latin-1") for name, value in headers if name == b"host"), "")
    place = _authority(said)
    if place is None or place[0].lower() not in {*LOOPBACK, OWN_NAME}:
        return _refused(
            HTTPStatus.MISDIRECTED_REQUEST, f"this is a proxy, and not the server of {said[:80]!r}"
        )
    return _page(text, headers, is_proxied=False)


def _page(text: str, headers: Sequence[Header], *, is_proxied: bool) -> Wish:
    """Return the page, unless another site wants it for itself: its own person may look at it."""
    said = {name: value for name, value in headers if name.startswith(b"sec-fetch-")}
    is_visit = (
        said.get(b"sec-fetch-mode") == b"navigate" and said.get(b"sec-fetch-dest") == b"document"
    )
    if said.get(b"sec-fetch-site", b"none") in {b"cross-site", b"same-site"} and not is_visit:
        return _refused(HTTPStatus.FORBIDDEN, "other sites get nothing of this proxy's own pages")
    return Own(text.partition("?")[0], is_proxied)


def _refused(status: HTTPStatus, sentence: str) -> Refusal:
    return Refusal(status, Reply.FAILURE, sentence)


def is_for_people(headers: Collection[Header]) -> bool:
    """Whether who asks shows pages: it says that it takes HTML."""
    return any(name == b"accept" and b"text/html" in value for name, value in headers)
