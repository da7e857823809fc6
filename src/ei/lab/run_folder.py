"""Where a lab of real processes keeps its files, and what is written about it there.

```
$XDG_STATE_HOME/ei/lab/<name>/     (default ~/.local/state)
    lab.json                        what runs, for every command that talks to it
    lab.sock                        the supervisor
    hosts                           names and addresses, where there are network namespaces
    lab.log                         what the supervisor and the daemons say
    <node or host>/                 node.toml or host.toml, key, records, log, admin.sock
```
"""

import fcntl
import os
import re
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from ei.errors import ConfigError, ConflictError, IntegrityError, LocalError, UnreachableError
from ei.lab.layout import Relay
from ei.lab.topology import Impairment

DEFAULT_NAME = "default"
SCHEMA = "ei.lab/1"
NAME = re.compile(r"[a-z0-9-]{1,32}")
MAX_SOCKET_PATH_BYTES = 107
"""Of a Unix socket, less its final zero (unix(7))."""


class Daemon(msgspec.Struct, frozen=True):
    """One node or host of a running lab, or one member of the etcd of its clusters.

    Attributes:
        address: IPv6 form; etcd has none.
        endpoint: Where it receives datagrams; empty for a host that takes any port. Of etcd, where
            it answers.
        folder: Its files.
        admin: Its admin socket; etcd has none.
        tree: Source tree whose code it runs; empty for that of the lab.
    """

    name: str
    kind: Literal["node", "host", "etcd"]
    address: str
    endpoint: str
    folder: str
    admin: str
    tree: str = ""


class LabFile(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `lab.json`.

    Attributes:
        run_id: Mark of all its processes.
        subnet: First two octets of all its endpoints.
        started_unix_s: When it was started.
        topology: Name of its topology.
        groups: Name to address in hex.
        relays: Links, each with the endpoints that stand for its ends.
        addresses: Name to IP address of all that have a network namespace of their own: all in a
            lab of namespaces, none in one of processes.
        listed_links: Links that the topology lists between two of these, with a relay or not.
        other_links: Properties of links between two of these that have no relay and are not listed.
    """

    schema: str = SCHEMA
    name: str
    run_id: str
    subnet: str
    seed: int
    started_unix_s: float
    topology: str
    daemons: dict[str, Daemon] = {}
    groups: dict[str, str] = {}
    relays: list[Relay] = []
    addresses: dict[str, str] = {}
    listed_links: list[tuple[str, str, Impairment]] = []
    other_links: Impairment = Impairment()

    @property
    def backend(self) -> Literal["processes", "netns"]:
        """How it runs."""
        return "netns" if self.addresses else "processes"


class RunFolder:
    """The folder of one lab; knows paths, reads and writes `lab.json`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lab_file = path / "lab.json"
        self.new_lab_file = path / "lab.new"
        self.socket = path / "lab.sock"
        self.log = path / "lab.log"
        self.hosts = path / "hosts"

    def folder_of(self, daemon: str) -> Path:
        """Return where a node or host keeps its files."""
        return self.path / daemon

    def read(self) -> LabFile:
        """Return what runs.

        Raises:
            UnreachableError: no lab of this name was started.
            IntegrityError: the file is damaged.
        """
        try:
            content = self.lab_file.read_bytes()
        except OSError as error:
            raise UnreachableError(
                f"no lab {self.path.name!r} is running", remedy="Start one: ei lab up"
            ) from error
        try:
            return msgspec.json.decode(content, type=LabFile)
        except msgspec.DecodeError as error:
            raise IntegrityError(
                f"{self.lab_file} is damaged: {error}", remedy="Remove it: ei lab down"
            ) from error

    def write(self, content: LabFile) -> None:
        """Replace `lab.json`: a reader sees the old or the new content, whole."""
        _ = self.new_lab_file.write_bytes(msgspec.json.format(msgspec.json.encode(content)))
        _ = self.new_lab_file.replace(self.lab_file)

    def remove(self) -> None:
        """Remove the folder and all in it.

        Raises:
            ConflictError: no `lab.json` says that it is a lab's, and it holds what no lab writes.
        """
        if not self.lab_file.exists():
            for path in sorted(self.path.iterdir()):
                if not self._is_of_a_lab(path):
                    raise ConflictError(
                        f"{self.path} is not removed: no lab wrote {path.name!r} in it",
                        remedy="Move it away, or give the lab another name: ei lab up --lab NAME",
                    )
        shutil.rmtree(self.path, ignore_errors=True)

    def _is_of_a_lab(self, path: Path) -> bool:
        if path.is_dir():
            # Of a node or host: its key is the first thing in it.
            return (path / "key").exists() or not any(path.iterdir())
        return path in {self.new_lab_file, self.socket, self.log, self.hosts}

    def check_length(self, daemons: list[str]) -> None:
        """Refuse a path under which the admin sockets could not be bound.

        Raises:
            ConfigError: too long.
        """
        longest = max(len(os.fsencode(self.folder_of(name) / "admin.sock")) for name in daemons)
        if longest > MAX_SOCKET_PATH_BYTES:
            raise ConfigError(
                f"sockets under {self.path} would have {longest} B of path, allowed are "
                f"{MAX_SOCKET_PATH_BYTES} B",
                remedy="Use a shorter XDG_STATE_HOME",
            )


def run_folder(name: str, environ: Mapping[str, str]) -> RunFolder:
    """Return the folder of the lab `name`, which need not exist.

    Raises:
        LocalError: no lab can have that name.
    """
    if not NAME.fullmatch(name):
        raise LocalError(
            f"no lab is called {name!r}: 1 to 32 of a-z, 0-9 and - are allowed",
            remedy="Name one with --lab or $EI_LAB, such as: --lab default",
        )
    state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return RunFolder(Path(state) / "ei" / "lab" / name)


@contextmanager
def exclusive(folder: RunFolder) -> Generator[None]:
    """Let one `up` or `down` at a time work on the labs beside `folder`.

    The lock is on the directory itself, so that it leaves no file.
    """
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder.path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
