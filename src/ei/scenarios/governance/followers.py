"""The nodes of the scenario, as they follow a registry: told by files, seen by status."""

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path

from ei.daemons.config_file import toml_string
from ei.lab.load import gather_bounded, until
from ei.lab.process_lab import ProcessLab
from ei.node.admin import RunningStatus
from ei.node.registry_status import RegistryStatus

SERVICE = "greeter"
POLL_S = 2.0
WATCH_S = 120.0
LOOK_S = 0.5
HEAD = "\n[registry]\n"


class Followers:
    """Nodes of a lab that follow a registry.

    Args:
        root: The file with which trust begins.
    """

    def __init__(self, lab: ProcessLab, root: Path) -> None:
        self._lab = lab
        self._root = root
        self.names = tuple(lab.topology.nodes)

    async def follow(self, url: str) -> None:
        """Have all nodes follow a registry from now on."""
        _ = await gather_bounded([self.turn(name, url) for name in self.names], at_once=8)

    async def turn(self, name: str, url: str, *, is_new: bool = False) -> None:
        """Have one node follow a registry.

        Args:
            is_new: As a node that has never seen it.
        """
        folder = self._lab.folder(name)
        if is_new:
            shutil.rmtree(folder / "state" / "registry", ignore_errors=True)
        path = folder / "node.toml"
        rows = (
            f"url = {toml_string(url)}",
            f"root = {toml_string(str(self._root))}",
            f"services = [{toml_string(SERVICE)}, {toml_string('evil')}]",
            f"poll_s = {POLL_S}",
            "change_s = 0",
            f"watch_s = {WATCH_S}",
        )
        text = path.read_text().partition(HEAD)[0]
        _ = path.write_text(text + HEAD + "\n".join(rows) + "\n")
        _ = await self._lab.ask_node(name, "reload", {})

    async def status(self, name: str) -> RunningStatus:
        """Return what a node says of itself."""
        return await self._lab.running_status(name)

    async def registry(self, name: str) -> RegistryStatus | None:
        """Return what a node says of the registry."""
        return (await self.status(name)).registry

    async def digest(self, name: str, service: str = SERVICE) -> str:
        """Return the digest of what a node runs; empty when it runs nothing."""
        workers = (await self.status(name)).workers
        return next((each.digest for each in workers if each.service == service and each.pid), "")

    async def run(self, digest: str, names: Iterable[str] | None = None) -> list[str]:
        """Return those of the nodes that run this."""
        asked = list(self.names if names is None else names)
        found = await gather_bounded([self.digest(name) for name in asked], at_once=8)
        return [name for name, each in zip(asked, found, strict=True) if each == digest]

    async def until_all(
        self, digest: str, *, limit_s: float, names: Iterable[str] | None = None
    ) -> float | None:
        """Wait until nodes run this; return how long it took, `None` when they do not in time."""
        asked = list(self.names if names is None else names)

        async def all_do() -> bool:
            return len(await self.run(digest, asked)) == len(asked)

        return await until(self._lab, all_do, limit_s=limit_s, every_s=LOOK_S)

    async def until_refused(self, name: str, word: str, limit_s: float) -> bool:
        """Wait until a node refuses something for this reason; return whether it did."""

        async def refuses() -> bool:
            status = await self.registry(name)
            return status is not None and is_refused(status, word)

        return await until(self._lab, refuses, limit_s=limit_s, every_s=LOOK_S) is not None

    async def restart(self, names: Iterable[str]) -> None:
        """Kill nodes and start them again, on what they have kept."""
        for name in names:
            await self._lab.kill(name)
        _ = await asyncio.gather(*(self._lab.start(name) for name in names))


def is_refused(status: RegistryStatus, word: str) -> bool:
    """Whether a registry, or a release of it, is refused for this reason."""
    return status.trouble.startswith(f"{word}: ") or word in status.refused.values()
