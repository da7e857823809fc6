"""What it means when the system refuses an endpoint to listen on."""

import errno

from ei.errors import ConfigError, ConflictError, DeniedError


def bind_error(bind: str, error: OSError) -> ConfigError | ConflictError | DeniedError:
    """Return what a failed bind means, with its remedy."""
    port = bind.rpartition(":")[2]
    match error.errno:
        case errno.EADDRINUSE:
            return ConflictError(
                f"cannot listen on {bind}: UDP port {port} is in use",
                remedy=f"See who has it: ss -lunp 'sport = :{port}', or choose another port.",
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
