"""A request to be enrolled: who somebody says to be, proven by the key that is to be enrolled.

    ["ei-request", 1, body: canonical msgpack, signature 64 B]

The signature is over `TAG` and the body, by the identity key in it. The file holds nothing secret;
what makes its sender a member is the domain's signature, on a record of the same.
"""

from typing import Literal

import msgspec

from ei.errors import IntegrityError
from ei.records.keys import Keys, is_signed

TAG = b"ei request 1\0"
MAX_REQUEST_BYTES = 4_096


class Request(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a host or node asks its domain to sign; with endpoints it is a node.

    Attributes:
        name: Full name.
        expires_unix_s: A domain signs nothing for it afterwards.
    """

    name: str
    identity_key: bytes
    pipe_key: bytes
    endpoints: tuple[str, ...]
    services: tuple[int, ...]
    expires_unix_s: int


class _File(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    magic: Literal["ei-request"]
    version: Literal[1]
    body: bytes
    signature: bytes


_files = msgspec.msgpack.Decoder(_File)
_bodies = msgspec.msgpack.Decoder(Request)


def seal_request(
    keys: Keys,
    *,
    name: str,
    endpoints: tuple[str, ...] = (),
    services: tuple[int, ...] = (),
    expires_unix_s: int,
) -> bytes:
    """Return the content of a request file."""
    body = msgspec.msgpack.encode(
        Request(name, keys.identity_key, keys.pipe_key, endpoints, services, expires_unix_s)
    )
    return msgspec.msgpack.encode(_File("ei-request", 1, body, keys.sign(TAG + body)))


def open_request(content: bytes, *, unix_s: float) -> Request:
    """Return a request whose sender holds the key in it.

    Raises:
        IntegrityError: too large, not a request, not canonical, not signed by its key, or expired.
    """
    if len(content) > MAX_REQUEST_BYTES:
        raise IntegrityError(
            f"request of {len(content)} B exceeds the allowed {MAX_REQUEST_BYTES} B"
        )
    try:
        file = _files.decode(content)
        request = _bodies.decode(file.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(f"not a request: {error}") from error
    if not is_signed(TAG + file.body, file.signature, request.identity_key):
        raise IntegrityError("the request is not signed by the key in it")
    if msgspec.msgpack.encode(request) != file.body:
        raise IntegrityError("the request is not in canonical form")
    if request.expires_unix_s <= unix_s:
        raise IntegrityError(
            f"the request of {request.name} expired {unix_s - request.expires_unix_s:.0f} s ago"
        )
    return request
