"""What a node has before anything else: the parent of its workers."""

from ei.node.config import NodeConfig
from ei.runtime.loader import find_services
from ei.runtime.nursery import Nursery


def start_nursery(config: NodeConfig) -> Nursery | None:
    """Fork the parent of all workers, if they are processes.

    That is done first: later there are threads, which a fork does not copy, and keys, which it does
    and no worker may have.
    """
    if config.workers == "inline":
        return None
    own = find_services()
    return Nursery.start([own[name] for name in config.services if name in own])
