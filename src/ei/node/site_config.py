"""`[sites]` in `node.toml`: certificates with which the TLS of streams ends at a node."""

from typing import Annotated

import msgspec
from msgspec import Meta

MAX_SITES = 1_024

SiteName = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")]
"""As clients name it: letters in lower case, those beyond ASCII by IDNA."""

Alpn = Annotated[str, Meta(min_length=1, max_length=64)]


class SiteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One site.

    Attributes:
        certificate: File of its certificate and of those between that and a root, PEM.
        key: File of the private key of that certificate, PEM, without a password.
        protocols: What may be spoken inside, the best first, as ALPN names it; "h2" only where the
            site's origin takes HTTP/2 without TLS.
    """

    certificate: Annotated[str, Meta(min_length=1, max_length=4_096)]
    key: Annotated[str, Meta(min_length=1, max_length=4_096)]
    protocols: Annotated[tuple[Alpn, ...], Meta(max_length=16)] = ("http/1.1",)
