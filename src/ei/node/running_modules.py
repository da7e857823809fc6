"""The modules of a node that runs, as who follows a registry sees them."""

from collections.abc import Mapping

from ei.node.gates import Tally, tally
from ei.node.node import Node
from ei.node.upgrading import Upgraded, Upgrading
from ei.node.workers import Workers


class RunningModules:
    """What `ei.node.following.Running` says, of a daemon."""

    def __init__(self, node: Node, workers: Workers, upgrading: Upgrading) -> None:
        self._node = node
        self._workers = workers
        self._upgrading = upgrading

    def __repr__(self) -> str:
        return f"<RunningModules of {self._node.config.name}>"

    def begin(self) -> None:
        """Halt what was halted before a restart, before any worker starts."""
        for each in self._workers.status():
            if why := self._upgrading.why_halted(each.service, each.digest):
                self._workers.halt(each.service, why)

    def digest_of(self, service: str) -> str:
        """Return what runs; empty when nothing does, or what does is no package."""
        running = (each for each in self._workers.status() if each.service == service)
        return next((each.digest for each in running if each.state != "halted"), "")

    def is_from_file(self, service: str) -> bool:
        """Whether what runs is what node.toml names."""
        return self._upgrading.is_from_file(service)

    def tallies(self) -> Mapping[str, Tally]:
        """Return what each service has done."""
        return {each.name: tally(each) for each in self._node.status().services}

    async def install(self, service: str, package: bytes) -> Upgraded:
        """Run this version.

        Raises:
            EiError: it cannot, and the version before runs on.
        """
        return await self._upgrading.install(service, package)

    async def go_back(self, service: str) -> Upgraded:
        """Run the version before again.

        Raises:
            EiError: there is none, or it cannot.
        """
        return await self._upgrading.go_back(service)

    def halt(self, service: str, why: str) -> None:
        """Run no version of a service any more, also after a restart."""
        if digest := self.digest_of(service):
            self._upgrading.halt(service, digest, why)
        self._workers.halt(service, why)

    def take_dead(self) -> Mapping[str, tuple[str, str]]:
        """Return the services whose new version did not live: its digest, and why; once."""
        return self._upgrading.take_dead()
