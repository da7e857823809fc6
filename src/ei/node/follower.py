"""At most one registry that a node follows, also after node.toml was read again."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from ei.daemons.log import Log
from ei.errors import ConfigError, LocalError, UnreachableError
from ei.node.following import Changing, Following, Place, Running
from ei.node.node import Node
from ei.node.prepare import PreparedNode
from ei.node.registry_config import RegistryConfig
from ei.node.registry_status import RegistryStatus
from ei.records.keys import Keys
from ei.registry.reports import REPORTS_PATH, Report, seal_report
from ei.sdk.packets import Address

if TYPE_CHECKING:
    from ei.registry.client import RegistryClient

FOLDER = "registry"
ACCEPTED = range(200, 300)


def follower_of(
    prepared: PreparedNode,
    node: Node,
    running: tuple[Running, Changing],
    on_failure: Callable[[LocalError], object],
    log: Log,
) -> "Follower":
    """Return what follows a registry for a node; it begins with `use`."""
    return Follower(
        node,
        prepared.keys,
        running,
        folder=prepared.folder,
        state=prepared.state,
        on_failure=on_failure,
        log=log,
    )


class Follower:
    """Follows the registry that the configuration names, if it names one.

    Args:
        running: The services of the node, and its bundles.
        folder: At which paths of node.toml start.
        state: Of the node.
        on_failure: Told of a mistake in here: then the node is to end, and be started again.
    """

    def __init__(  # noqa: PLR0913 all that it is made of
        self,
        node: Node,
        keys: Keys,
        running: tuple[Running, Changing],
        *,
        folder: Path,
        state: Path,
        on_failure: Callable[[LocalError], object],
        log: Log,
    ) -> None:
        self._node = node
        self._keys = keys
        self._running = running
        self._folder = folder
        self._state = state / FOLDER
        self._on_failure = on_failure
        self._log = log
        self._config: RegistryConfig | None = None
        self._following: Following | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_over = Event()

    def __repr__(self) -> str:
        return f"<Follower of {None if self._config is None else self._config.url}>"

    def use(self, config: RegistryConfig | None) -> None:
        """Follow this registry from now on, on the running loop."""
        if config == self._config:
            return
        self.end()
        self._config = config
        self._node.services.expected = frozenset(() if config is None else config.services)
        if config is None:
            return
        place = Place(
            self._node.address,
            make_client=partial(make_client, config, self._folder, self._state, self._is_over),
            send_report=partial(send_report, config.url, self._keys),
            tell=self._node.tell_nodes,
        )
        self._following = Following(
            config,
            place,
            self._running,
            state=self._state,
            clock=(time.monotonic, time.time),
            log=self._log,
        )
        self._task = asyncio.get_running_loop().create_task(self._following.run())
        self._task.add_done_callback(self._ended)

    def end(self) -> None:
        """Follow none any more. Idempotent."""
        if self._task is not None:
            _ = self._task.cancel()
        self._is_over.set()  # of a thread that asks just now, and for which the node waits
        self._is_over = Event()
        self._config = self._following = self._task = None

    def status(self) -> RegistryStatus | None:
        """Return how it stands; `None` where none is followed."""
        return None if self._following is None else self._following.status()

    def hear(self, sender: Address, checkpoint: bytes) -> None:
        """Take what another node has heard of the log."""
        if self._following is not None:
            self._following.hear(sender, checkpoint)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _ = self._on_failure(LocalError(f"following the registry has failed: {error!r}"))


def make_client(
    config: RegistryConfig, folder: Path, state: Path, is_over: Event
) -> "RegistryClient":
    """Make the client of a registry. Loads what verifies: on a thread.

    Args:
        is_over: Once it is set, nothing more is fetched.

    Raises:
        ConfigError: the root, the witnesses or the address are none.
    """
    # What reads TUF's metadata takes a while to load, and most nodes follow no registry.
    from ei.registry.client import RegistryClient, Trust  # noqa: PLC0415
    from ei.registry.fetching import fetch_from  # noqa: PLC0415
    from ei.registry.notes import parse_key  # noqa: PLC0415

    path = folder / config.root
    try:
        root = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"registry.root: {path}: {error.strerror}",
            remedy="Get the registry's first root by a way that you trust, and name its file.",
        ) from error
    witnesses = tuple(parse_key(each) for each in config.witnesses)
    place = config.url if "://" in config.url else str(folder / config.url)
    read = fetch_from(place)

    def fetch(name: str, limit: int) -> bytes:
        if is_over.is_set():
            raise UnreachableError(f"{place} is not followed any more")
        return read(name, limit)

    return RegistryClient(state, Trust(root, witnesses, config.needed), fetch)


def send_report(url: str, keys: Keys, report: Report) -> None:
    """Send a signed report. Blocks: on a thread.

    Raises:
        UnreachableError: nobody answers there, or it is not taken.
    """
    from ei.registry.fetching import post  # noqa: PLC0415 as above

    if "://" not in url:
        raise UnreachableError(f"{url} is a folder, which takes no reports")
    status, said = post(url, REPORTS_PATH, seal_report(report, keys))
    if status not in ACCEPTED:
        words = said.decode(errors="replace").strip()
        raise UnreachableError(f"{url} does not take the report: {status} {words}")
