"""What a node has before anything else: the parent of its workers."""

import os
from pathlib import Path

import msgspec

from ei.errors import EiError, LocalError
from ei.node.config import load_node_config
from ei.runtime.loader import find_services
from ei.runtime.nursery import Nursery

_FOLDERS: msgspec.msgpack.Decoder[list[str] | None] = msgspec.msgpack.Decoder(list[str] | None)


def start_nursery(path: Path) -> Nursery | None:
    """Fork the parent of all workers, if they are processes.

    That is done first: later there are threads, which a fork does not copy, and keys and what the
    configuration says to other services, which it does and no worker may have.

    Args:
        path: Of `node.toml`.

    Raises:
        EiError: what is wrong with it.
    """
    said = _said_by_a_child(path)
    if not said:
        _ = load_node_config(path)  # says what is wrong
        raise LocalError(f"{path}: the process that reads it has ended without a word")
    folders = _FOLDERS.decode(said)
    return None if folders is None else Nursery.start([Path(each) for each in folders])


def _said_by_a_child(path: Path) -> bytes:
    """Return what a process says that reads the configuration, and ends with all it read."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            _ = os.write(writing, msgspec.msgpack.encode(_own_folders(path)))
        except (EiError, OSError):
            pass  # the parent finds the same
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        said = file.read()
    _ = os.waitpid(pid, 0)
    return said


def _own_folders(path: Path) -> list[str] | None:
    """Return the folders of those services of the node that come with this program.

    `None` where workers are threads.
    """
    config = load_node_config(path)
    if config.workers == "inline":
        return None
    own = find_services()
    return [str(own[name]) for name in config.services if name in own]
