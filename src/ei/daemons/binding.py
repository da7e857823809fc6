"""What it means when the system refuses an endpoint to listen on."""

import errno
from typing import Literal

from ei.errors import ConfigError, ConflictError, DeniedError


def bind_error(
    bind: str, error: OSError, *, protocol: Literal["UDP", "TCP"] = "UDP"
) -> ConfigError | ConflictError | DeniedError:
    """Return what a failed bind means, with its remedy."""
    port = bind.rpartition(":")[2]
    listing = f"ss -l{protocol[0].lower()}np 'sport = :{port}'"
    match error.errno:
        case errno.EADDRINUSE:
            return ConflictError(
                f"cannot listen on {bind}: {protocol} port {port} is in use",
                remedy=f"See who has it: {listing}, or choose another port.",
            )
        case errno.EACCES | errno.EPERM:
            return DeniedError(
                f"cannot listen on {bind}: this user may not",
                remedy="Choose a port above 1023, or give the program CAP_NET_BIND_SERVICE.",
            )
        case errno.EADDRNOTAVAIL:
            return ConfigError(
                f"cannot listen on {bind}: the address is not one of this machine",
                remedy="See which are: ip -brief address",
            )
        case _:
            return ConfigError(f"cannot listen on {bind}: {error.strerror or error}")
