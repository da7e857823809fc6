"""Another version of a module on a node that runs: kept, tried, and in place in a moment."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ei.daemons.log import Log
from ei.daemons.startup import explained
from ei.errors import ConflictError, NotFoundError
from ei.node.node import Node
from ei.node.prepare import PreparedNode
from ei.node.running_services import RunningServices
from ei.node.shelf import OF_FILE, Shelf
from ei.node.workers import Workers
from ei.registry.package import digest_of, pack
from ei.runtime.loader import FoundService, folder_of, read_service
from ei.sdk.manifest import Manifest


class Upgraded(msgspec.Struct, frozen=True):
    """What runs now, by the digest of its package; `before` is the version that ran."""

    service: str
    version: str
    digest: str
    before: str


def upgrading_of(prepared: PreparedNode, node: Node, workers: Workers, log: Log) -> "Upgrading":
    """Return what changes the modules of a node."""
    return Upgrading(
        node.services,
        Shelf(prepared.state),
        folders=tuple(prepared.folder / each for each in prepared.config.service_folders),
        replace=workers.replace,
        log=log,
    )


class Upgrading:
    """Changes the versions of a node's modules, one at a time.

    Args:
        services: Which run now.
        shelf: Where modules are kept.
        folders: Where those are that node.toml names, besides our own.
        replace: Lets another version take over; see `Workers.replace`.

    Attributes:
        gave_way: Service to the last version of it that did not live: its digest, and why.
        make_way: Called before a version runs again, which takes its place in any case.
    """

    def __init__(
        self,
        services: RunningServices,
        shelf: Shelf,
        *,
        folders: tuple[Path, ...],
        replace: Callable[[FoundService], Awaitable[None]],
        log: Log,
    ) -> None:
        self._services = services
        self._shelf = shelf
        self._folders = folders
        self._replace = replace
        self._log = log
        self._changing = ""
        self._tasks: set[asyncio.Task[Upgraded]] = set()
        self.gave_way: dict[str, tuple[str, str]] = {}
        self.make_way: Callable[[Manifest], None] = lambda _manifest: None

    def __repr__(self) -> str:
        return f"<Upgrading {self._changing or 'nothing'}>"

    async def upgrade(self, name: str, folder: Path) -> Upgraded:
        """Run the module in a folder, as it is now, in the place of the version that runs.

        Raises:
            EiError: it cannot, and the version that runs stays: why.
        """
        return await self.install(name, await asyncio.to_thread(pack, folder))

    async def install(self, name: str, package: bytes) -> Upgraded:
        """Run the module in a package in the place of the version that runs.

        Raises:
            EiError: as `upgrade`.
        """
        return await self._whole(self._install(name, package))

    async def _install(self, name: str, package: bytes) -> Upgraded:
        with self.alone(name), explained("cannot keep the module"):
            folder = await asyncio.to_thread(self._shelf.keep, name, package)
            digest = await asyncio.to_thread(digest_of, package)
            return await self._change(name, digest, folder)

    async def go_back(self, name: str) -> Upgraded:
        """Run the version again that ran before.

        Raises:
            EiError: as `upgrade`; there is none.
        """
        return await self._whole(self._go_back(name))

    async def _go_back(self, name: str) -> Upgraded:
        with self.alone(name), explained("cannot keep the module"):
            choice = self._shelf.choices.get(name)
            if choice is None:
                raise NotFoundError(
                    f"no version of {name} ran here before",
                    remedy=f"Name one: ei node upgrade {name} FOLDER",
                )
            if choice.before == OF_FILE:
                folder = folder_of(name, self._folders)
            else:
                folder = await asyncio.to_thread(self._shelf.folder_of, name, choice.before)
            self.make_way((await asyncio.to_thread(read_service, folder)).manifest)
            return await self._change(name, choice.before, folder)

    def note(self, service: FoundService, why: str) -> None:
        """Note that a version runs again because the one after it did not live: why."""
        name = service.manifest.name
        self.make_way(service.manifest)
        choice = self._shelf.choices[name]
        self.gave_way[name] = choice.digest, why
        try:
            self._shelf.choose(name, choice.before)
        except OSError as error:  # what runs is what counts
            self._log.error("choice not kept", service=name, cause=str(error))

    def halt(self, name: str, digest: str, why: str) -> None:
        """Note that a version is not to run, also after a restart, until another change."""
        try:
            self._shelf.halt(name, digest, why)
        except OSError as error:  # that it does not run now is what counts
            self._log.error("halt not kept", service=name, cause=str(error))

    def why_halted(self, name: str, digest: str) -> str:
        """Return why a version is not to run; empty when it may."""
        return self._shelf.why_halted(name, digest)

    def take_dead(self) -> dict[str, tuple[str, str]]:
        """Return what gave way since the last call."""
        dead, self.gave_way = self.gave_way, {}
        return dead

    def is_from_file(self, name: str) -> bool:
        """Whether what runs is what node.toml names."""
        choice = self._shelf.choices.get(name)
        return choice is None or choice.digest == OF_FILE

    async def _whole(self, change: Coroutine[object, object, Upgraded]) -> Upgraded:
        """Let a change come to its end, also when nobody waits for it any more."""
        task = asyncio.get_running_loop().create_task(change)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _change(self, name: str, digest: str, folder: Path) -> Upgraded:
        found = await asyncio.to_thread(read_service, folder)
        running = {each.name: each.version for each in self._services}
        self._services.check_version(found.manifest)
        await self._replace(found)
        self._shelf.choose(name, digest)
        version, before = found.manifest.version, running.get(name, "")
        self._log.info("module changed", service=name, version=version, before=before)
        return Upgraded(name, version, digest, before)

    @contextmanager
    def alone(self, name: str) -> Generator[None]:
        """Hold this while something is changed: two changes never are at once.

        Raises:
            ConflictError: something is being changed.
        """
        if self._changing:
            raise ConflictError(
                f"{self._changing} is being changed", remedy="Try again in a few seconds."
            )
        self._changing = name
        try:
            yield
        finally:
            self._changing = ""
