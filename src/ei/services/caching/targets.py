"""Whose request it is, for what, and who of the tier answers it: all that the key is made of.

What is not in the key must not change the answer, or one client could decide what the others get.
So fields by which programs let a request pass for another one are taken out (`POSING`), and an
answer to a request with fields that are unknown here is not kept for others.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from ei.sdk import Address
from ei.services.caching.http1 import (
    Fields,
    HttpError,
    Request,
    end_to_end,
    values_of,
)

HTTP_PORT = 80
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_ABSOLUTE = re.compile(r"http://([^/?#@]+)([/?][^#]*)?", re.IGNORECASE)
_MOST_PORT = 65_535

POSING = re.compile(
    r"forwarded|x-forwarded-.*|x-original-.*|x-rewrite-.*|x-http-.*|x-method.*|x-host|x-real-ip"
    r"|x-proxy-.*|x-envoy-.*|x-amz-.*|x-wap-.*|x-arbitrary|true-client-ip|cf-.*|fastly-.*"
    r"|surrogate-.*|x-override.*|x-ei-.*"
)
"""Fields that are the proxy's to say, not the client's."""

_KNOWN = re.compile(
    r"accept|accept-.*|access-control-request-.*|authorization|baggage|cache-control|cookie|date"
    r"|dnt|expect|from|host|if-.*|idempotency-key|max-forwards|origin|pragma|prefer|priority|purpose"
    r"|range|referer|save-data|surrogate-capability|sec-.*|te|traceparent|tracestate"
    r"|upgrade-insecure-requests|user-agent|via|want-.*|x-requested-with|content-.*|age|ect|rtt"
    r"|downlink|dpr|width|device-memory"
)
"""Fields that origins are known to answer by with Vary, if they do."""


_OF_A_HOP = ("content-length", "host", "via")
"""Each hop writes them anew."""


class Target(NamedTuple):
    """What is asked for.

    Attributes:
        host: In lower case; an IPv6 address without brackets.
        port: Port.
        path: With the query, as it came.
    """

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As in Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == HTTP_PORT else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """In absolute-form."""
        return f"http://{self.authority}{self.path}"


def target_of(request: Request, site: tuple[str, int] | None) -> Target:
    """Return what a request is for.

    Args:
        site: Host and port when the stream is for one site; else it is one to a proxy.

    Raises:
        HttpError: Host is not there once, or the target is not of the form for this stream.
    """
    hosts = values_of(request.fields, "host")
    if len(hosts) > 1 or (not hosts and request.minor) or (hosts and not _is_host(hosts[0])):
        raise HttpError("bad_host")
    if request.method in ("CONNECT", "TRACE"):
        raise HttpError("bad_method")
    if request.target.startswith("/"):
        if site is None or "#" in request.target:
            raise HttpError("bad_target")
        return Target(*site, request.target)
    found = target_of_url(request.target)
    if site is not None and (found.host, found.port) != site:
        raise HttpError("bad_target")
    return found


def target_of_url(url: str) -> Target:
    """Read a target in absolute-form.

    Raises:
        HttpError: It is none of `http`.
    """
    found = _ABSOLUTE.fullmatch(url)
    if found is None:
        raise HttpError("bad_target")
    path = found[2] or "/"
    return Target(*read_authority(found[1]), path if path.startswith("/") else f"/{path}")


def read_authority(text: str) -> tuple[str, int]:
    """Read `host` or `host:port`.

    Raises:
        HttpError: It is neither.
    """
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise HttpError("bad_target")
    port = int(found[2] or HTTP_PORT)
    if not 0 < port <= _MOST_PORT:
        raise HttpError("bad_target")
    host = found[1].strip("[]").lower().rstrip(".")
    if not host.strip(":"):
        raise HttpError("bad_target")
    return host, port


def key_of(tenant: bytes, target: Target) -> bytes:
    """Return the key of a target for a tenant: what differs in either has another one."""
    parts = (tenant, b"http", target.host.encode(), str(target.port).encode(), _bytes(target.path))
    return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def label_of(tenant: bytes, tag: bytes) -> bytes:
    """Return under what a tag of a tenant is purged."""
    return sha256(b"tag" + len(tenant).to_bytes(1, "big") + tenant + tag).digest()[:16]


def lane_of(key: bytes, selecting: Iterable[str]) -> bytes:
    """Return what requests have in common that one fetch can answer."""
    return sha256(key + "\n".join(selecting).encode()).digest()[:16]


def owner_of(key: bytes, nodes: Iterable[Address]) -> Address:
    """Return which node of the tier keeps a target: the one with the highest hash.

    When a node comes or goes, only the targets that it has move.
    """
    return max(nodes, key=lambda node: sha256(node + key).digest())


def handed_on(fields: Fields) -> Fields:
    """Return the fields of a client that its origin gets to see."""
    return tuple(
        (name, value)
        for name, value in end_to_end(fields)
        if name not in _OF_A_HOP and not POSING.fullmatch(name)
    )


def unknown_fields(fields: Fields, harmless: Iterable[str]) -> list[str]:
    """Return the names of fields by which an origin may answer without saying so."""
    allowed = frozenset(harmless)
    return [name for name, _ in fields if name not in allowed and not _KNOWN.fullmatch(name)]


def _is_host(text: str) -> bool:
    return _AUTHORITY.fullmatch(text) is not None


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")
