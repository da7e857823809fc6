"""The engine of a node, as its configuration wants it."""

import errno

from ei._core import Engine
from ei.daemons.binding import bind_error
from ei.errors import ConfigError, ConflictError, DeniedError
from ei.node.config import NodeConfig
from ei.records.keys import Keys

XDP_RIGHTS = "CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF"


def make_engine(config: NodeConfig, keys: Keys, address: bytes) -> Engine:
    """Bind the sockets of a node.

    Raises:
        EiError: an endpoint cannot be had: why, and what to do.
    """
    try:
        return Engine(
            binds=list(config.binds),
            address=address,
            private_key=keys.pipe_secret,
            threads=config.threads,
            cache_entries=config.cache_entries,
            max_datagram_bytes=config.max_datagram_bytes,
            spin_us=config.spin_us,
            copies_per_s=config.copies_per_s,
            xdp=list(config.xdp),
        )
    except OSError as error:
        if error.filename in config.xdp:
            raise xdp_error(str(error.filename), error) from error
        raise bind_error(str(error.filename or ", ".join(config.binds)), error) from error
    except ValueError as error:
        raise ConfigError(f"binds: {error}", remedy='Such as binds = ["[::]:3535"]') from error


def xdp_error(device: str, error: OSError) -> ConfigError | ConflictError | DeniedError:
    """Return what it means that nothing can be taken from a device by AF_XDP, with its remedy."""
    said = f"xdp: {device}: {error.strerror or error}"
    match error.errno:
        case errno.ENODEV:
            return ConfigError(said, remedy="See which devices there are: ip -brief link")
        case errno.EADDRNOTAVAIL:
            return ConfigError(
                said, remedy=f"See which it has: ip -brief address show dev {device}"
            )
        case errno.EACCES | errno.EPERM:
            return DeniedError(said, remedy=f"It needs root, or {XDP_RIGHTS}. Or leave xdp out.")
        case errno.ENOBUFS:
            remedy = (
                "It locks 16 MiB of memory: ulimit -l 16384, or LimitMEMLOCK=16M. Or leave xdp out."
            )
            return ConfigError(said, remedy=remedy)
        case errno.EBUSY | errno.EEXIST:
            remedy = f"See what is attached there: ip -details link show dev {device}"
            return ConflictError(said, remedy=remedy)
        case _:
            remedy = f"See what its driver wants: dmesg, ethtool -i {device}. Or leave xdp out."
            return ConfigError(said, remedy=remedy)
