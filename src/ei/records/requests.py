"""A request to be enrolled: who somebody says to be, proven by the key that is to be enrolled.

The form is that of `ei.records.signed`, tag `ei request 1`, signed by the identity key in it. The
file holds nothing secret; what makes its sender a member is the domain's signature, on a record of
the same.
"""

import msgspec

from ei.errors import IntegrityError
from ei.records.keys import Keys
from ei.records.signed import Form

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


REQUESTS: Form[Request] = Form("request", msgspec.msgpack.Decoder(Request), TAG, MAX_REQUEST_BYTES)


def seal_request(
    keys: Keys,
    *,
    name: str,
    endpoints: tuple[str, ...] = (),
    services: tuple[int, ...] = (),
    expires_unix_s: int,
) -> bytes:
    """Return the content of a request file."""
    request = Request(name, keys.identity_key, keys.pipe_key, endpoints, services, expires_unix_s)
    return REQUESTS.seal(request, keys)


def open_request(content: bytes, *, unix_s: float) -> Request:
    """Return a request whose sender holds the key in it.

    Raises:
        IntegrityError: too large, not a request, not canonical, not signed by its key, or expired.
    """
    request, signer = REQUESTS.open(content)
    if signer != request.identity_key:
        raise IntegrityError("the request is not signed by the key in it")
    if request.expires_unix_s <= unix_s:
        raise IntegrityError(
            f"the request of {request.name} expired {unix_s - request.expires_unix_s:.0f} s ago"
        )
    return request
