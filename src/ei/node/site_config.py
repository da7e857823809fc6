"""`[sites]` in `node.toml`: certificates with which the TLS of streams ends at a node."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta

from ei.daemons.config_file import toml_string
from ei.errors import ConfigError

MAX_SITES = 1_024

SiteName = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")]
"""As clients name it: letters in lower case, those beyond ASCII by IDNA."""

Alpn = Annotated[str, Meta(min_length=1, max_length=64)]


class SiteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One site.

    Attributes:
        certificate: File of its certificate and of those between that and a root, PEM.
        key: File of the private key of that certificate, PEM, without a password; its mode is 0600
            or 0640.
        protocols: What may be spoken inside, the best first, as ALPN names it; "h2" only where the
            site's origin takes HTTP/2 without TLS.
    """

    certificate: Annotated[str, Meta(min_length=1, max_length=4_096)]
    key: Annotated[str, Meta(min_length=1, max_length=4_096)]
    protocols: Annotated[tuple[Alpn, ...], Meta(max_length=16)] = ("http/1.1",)


def check_sites(sites: Mapping[str, SiteConfig], services: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that what termination is to do for a site can be done.

    Args:
        services: Of each service, what `[config]` says.

    Raises:
        ConfigError: a site has no certificate, with which every stream of it would be refused.
    """
    wanted = services.get("termination", {}).get("sites", {})
    for name in cast("dict[str, object]", wanted) if isinstance(wanted, dict) else ():
        if name not in sites:
            text = toml_string(name)
            raise ConfigError(
                f"config.termination.sites: {text} has no certificate:"
                " a line of [sites] is missing",
                remedy=f"Say under [sites]: {text} ="
                f' {{ certificate = "{name}.pem", key = "{name}.key" }}',
            )
