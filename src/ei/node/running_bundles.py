"""The bundles of a node that runs, as who follows a registry sees them: taken, and taken away.

A bundle is expanded from what runs here: services, and for the bundles within it other bundles of
the node. When one of these changes, so does who contains it; when one goes, so does that.
"""

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ei.bundles import (
    Bundle,
    Known,
    Rows,
    bundle_folder_of,
    check_bundle,
    load_bundle,
    rows_of,
)
from ei.daemons.log import Log
from ei.daemons.startup import explained
from ei.errors import ConfigError, ConflictError, EiError
from ei.node.node import Node
from ei.node.prepare import PreparedNode
from ei.node.shelf import OF_FILE, Shelf, digest_of_folder
from ei.node.upgrading import Upgrading
from ei.registry.package import digest_of
from ei.sdk.manifest import Manifest

FOLDER = "bundles"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bundle's file is, and the digest of its package."""

    folder: Path
    digest: str


def running_bundles_of(
    prepared: PreparedNode,
    node: Node,
    upgrading: Upgrading,
    *,
    now_s: Callable[[], float],
    log: Log,
) -> "RunningBundles":
    """Return what changes the bundles of a node, which begin with `begin`."""
    config = prepared.config
    followed = () if config.registry is None else config.registry.bundles
    folders = [prepared.folder / each for each in config.service_folders]
    found = {name: bundle_folder_of(name, folders) for name in config.bundles}
    bundles = RunningBundles(
        node,
        Shelf(prepared.state, FOLDER),
        named=dict.fromkeys((*config.bundles, *followed)),
        places={name: Place(at, digest_of_folder(at)) for name, at in found.items()},
        replicated=() if config.cluster is None else prepared.replicated,
        alone=upgrading.alone,
        now_s=now_s,
        log=log,
    )
    upgrading.make_way = bundles.make_way
    return bundles


class RunningBundles:
    """What `ei.node.following.Changing` says, of bundles.

    Args:
        shelf: Where those of the registry are kept.
        named: By node.toml: those that may run when the node begins.
        places: Of those that node.toml names, and that run.
        replicated: Numbers of services whose state may be at other members of a cluster.
        alone: Held while one is taken, so that no service changes meanwhile.
    """

    def __init__(  # noqa: PLR0913 all that a bundle is expanded from
        self,
        node: Node,
        shelf: Shelf,
        *,
        named: Iterable[str],
        places: Mapping[str, Place],
        replicated: Container[int] = (),
        alone: Callable[[str], AbstractContextManager[None]],
        now_s: Callable[[], float],
        log: Log,
    ) -> None:
        self._node = node
        self._shelf = shelf
        self._named = tuple(named)
        self._places = dict(places)
        self._replicated = replicated
        self._alone = alone
        self._now_s = now_s
        self._log = log

    def __repr__(self) -> str:
        return f"<RunningBundles {sorted(self._places)}>"

    def begin(self) -> None:
        """Take what the registry had said before a restart, or take away what it had revoked.

        What does not fit any more is left.
        """
        left = dict[str, str]()
        for name in self._named:
            is_from_file = self.is_from_file(name)
            digest = self.digest_of(name) if is_from_file else self._shelf.choices[name].digest
            if why := self._shelf.why_halted(name, digest):
                self._remove(name, why)
            elif not is_from_file:
                left[name] = ""
        count = 0
        while count != len(left):  # what did not fit may be made of what was taken since
            count = len(left)
            tried: dict[str, str] = {name: self._taken_again(name) for name in left}
            left = {name: why for name, why in tried.items() if why}
        for name, why in left.items():
            self._log.warn("bundle not taken again", bundle=name, reason=why)

    def digest_of(self, name: str) -> str:
        """Return what runs; empty when nothing does, or what does is no package."""
        place = self._places.get(name)
        return "" if place is None else place.digest

    def is_from_file(self, name: str) -> bool:
        """Whether what runs is what node.toml names."""
        choice = self._shelf.choices.get(name)
        return choice is None or choice.digest == OF_FILE

    async def install(self, name: str, package: bytes) -> None:
        """Run this version.

        Raises:
            ConfigError: it is no bundle, whatever runs here.
            EiError: it cannot run here as things are, and the version before goes on.
        """
        with self._alone(name), explained("cannot keep the bundle"):
            folder = await asyncio.to_thread(self._shelf.keep, name, package)
            self._take(name, Place(folder, digest_of(package)))
            self._shelf.choose(name, digest_of(package))

    def halt(self, name: str, why: str) -> None:
        """Run no version of a bundle any more, also after a restart, and none that contains it."""
        digest = self.digest_of(name)
        self._remove(name, why)
        try:
            self._shelf.halt(name, digest, why)
        except OSError as error:  # that it does not run now is what counts
            self._log.error("halt not kept", bundle=name, cause=str(error))

    def make_way(self, manifest: Manifest) -> None:
        """Take away the registry's bundles that do not take a version that has to run again."""
        for rows in list(self._node.services.bundles.values()):
            name = rows.bundle.name
            if rows.refuser_of(manifest) is not None and not self.is_from_file(name):
                self._remove(name, f"{manifest.name} {manifest.version} runs again")

    # -- parts ------------------------------------------------------------------------------------

    @property
    def _here(self) -> dict[str, Rows]:
        return {rows.bundle.name: rows for rows in self._node.services.bundles.values()}

    def _taken_again(self, name: str) -> str:
        """Take what is kept; return why not."""
        digest = self._shelf.choices[name].digest
        try:
            self._take(name, Place(self._shelf.folder_of(name, digest), digest))
        except EiError as error:
            return str(error)
        return ""

    def _take(self, name: str, place: Place) -> None:
        bundle, here = load_bundle(place.folder), self._here
        running = {each.bundle.name: each.bundle for each in here.values()} | {name: bundle}
        if name in here and (number := here[name].bundle.id) != bundle.id:
            raise ConflictError(
                f"{bundle.title}: id = {bundle.id} seen, that of the version that runs allowed:"
                f" {number}",
                remedy="Give it a name of its own, and have packets name the new one.",
            )
        own = self._expanded(place.folder, running)
        others = [
            self._expanded(self._places[other].folder, rows.inner | running)
            for other, rows in here.items()
            if name in rows.inner
        ]
        self._node.services.set_bundle(own)  # or refuse it: the others have had their numbers
        for rows in others:
            self._node.services.set_bundle(rows)
        self._places[name] = place
        self._offer()

    def _expanded(self, folder: Path, bundles: Mapping[str, Bundle]) -> Rows:
        """Return the rows of a bundle, made of what runs here."""
        services = {each.name: each for each in self._node.services}
        checked = check_bundle(folder, Known(services, bundles))
        title = checked.bundle.title
        if checked.faults or checked.chain is None:
            fault = checked.faults[0]
            said = f"{title}: line {fault.line}: {fault.code}: {fault.said}"
            raise ConflictError(said, remedy=fault.fix)
        for link in checked.chain.links:
            if link.manifest.id in self._replicated:
                raise ConflictError(
                    f"{title} has {link.name}, whose state is the cluster's",
                    remedy="Run the bundle at a node that is in no cluster.",
                )
        try:
            return rows_of(checked.bundle, checked.chain, services, chains=self._node.config.chains)
        except ConfigError as error:  # of the operator's services as well, not of the bundle alone
            raise ConflictError(str(error), remedy=error.remedy) from error

    def _remove(self, name: str, why: str) -> None:
        for other, rows in self._here.items():
            if other == name or name in rows.inner:
                self._node.services.remove_bundle(rows.bundle.id)
                _ = self._places.pop(other, None)
                self._log.warn("bundle taken away", bundle=rows.bundle.title, reason=why)
        self._offer()

    def _offer(self) -> None:
        services = self._node.services
        self._node.control.set_offers(services.offers, now_s=self._now_s())
