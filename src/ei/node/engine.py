"""The engine of a node, as its configuration wants it."""

from ei._core import Engine
from ei.daemons.binding import bind_error
from ei.errors import ConfigError
from ei.node.config import NodeConfig
from ei.records.keys import Keys


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
        )
    except OSError as error:
        raise bind_error(str(error.filename or ", ".join(config.binds)), error) from error
    except ValueError as error:
        raise ConfigError(f"binds: {error}", remedy='Such as binds = ["[::]:3535"]') from error
