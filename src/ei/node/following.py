"""Follows a registry: runs what governance has approved, takes back what it revokes or what fails.

    every poll_s      refresh ─▶ choose for each service ─▶ fetch ─▶ try ─▶ take over ─▶ watch
    every second      too many errors since then ─▶ the version before, a report to the registry

What blocks (fetching, verifying) is done on a thread. What is refused changes nothing: what runs
goes on to run, nothing new does, and the status says why.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ei.daemons.log import Log
from ei.daemons.startup import explained
from ei.errors import (
    ConfigError,
    ConflictError,
    EiError,
    IntegrityError,
    LocalError,
    ServiceError,
    UnreachableError,
)
from ei.node.gates import Gates, Tally
from ei.node.given_up import GivenUp
from ei.node.registry_config import RegistryConfig
from ei.node.registry_status import FollowedStatus, RegistryStatus
from ei.node.reporting import Reporting
from ei.node.rollout import choose, version_key
from ei.registry.releases import Catalogue, Release
from ei.registry.reports import Report
from ei.sdk.packets import Address

WATCH_S = 1.0
SLOWEST = 10
"""Polls after failures are at most so many times rarer."""
DOUBTS = ("unlogged", "unsigned")
"""Words for which a release does not count that governance has approved."""
MAX_HEARD = 256
MAX_CHECKPOINT_BYTES = 16_384


class Client(Protocol):
    """What is asked of `ei.registry.client.RegistryClient`."""

    def stored(self) -> Catalogue | None: ...
    def refresh(self, *, unix_s: float) -> Catalogue: ...
    def package(self, release: Release) -> bytes: ...
    def hear(self, checkpoint: bytes) -> None: ...


class Changing(Protocol):
    """The services of a node, or its bundles: what runs, and how to change it."""

    def digest_of(self, service: str, /) -> str:
        """Return what runs; empty when nothing does."""
        ...

    def is_from_file(self, service: str, /) -> bool:
        """Whether what runs is what node.toml names, which the registry need not know."""
        ...

    async def install(self, service: str, package: bytes, /) -> object:
        """Run this version; raises EiError, and then the version before runs on."""
        ...

    def halt(self, service: str, why: str, /) -> None:
        """Run no version of a service any more."""
        ...


class Running(Changing, Protocol):
    """The services of a node, and what they do."""

    def tallies(self) -> Mapping[str, Tally]:
        """Return what each service has done."""
        ...

    async def go_back(self, service: str) -> object:
        """Run the version before again."""
        ...

    def take_dead(self) -> Mapping[str, tuple[str, str]]:
        """Return the services whose new version did not live: its digest, and why; once."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands.

    Attributes:
        node: Its address.
        make_client: Makes the client; it loads what verifies, so it is called on a thread.
        send_report: Signs a report and sends it to the registry; on a thread.
        tell: Tells nodes around what the log says.
    """

    node: Address
    make_client: Callable[[], Client]
    send_report: Callable[[Report], None]
    tell: Callable[[bytes], None]


class Following:
    """A node that follows one registry.

    Args:
        running: The services of the node, and its bundles.
        clock: Monotonic and Unix time.
        state: Folder for what it remembers.
    """

    def __init__(  # noqa: PLR0913 each is a seam
        self,
        config: RegistryConfig,
        place: Place,
        running: tuple[Running, Changing],
        *,
        state: Path,
        clock: tuple[Callable[[], float], Callable[[], float]],
        log: Log,
    ) -> None:
        self._config = config
        self._place = place
        self._running, self._bundles = running
        self._names = (*config.services, *config.bundles)  # a bundle needs its services first
        self._now_s, self._unix_s = clock
        self._log = log
        self._given_up = GivenUp(state / "given_up.json")
        self._gates = Gates(most=config.most_errors, watch_s=config.watch_s)
        self._client: Client | None = None
        self._catalogue: Catalogue | None = None
        self._seen_unix_s = 0.0
        self._trouble = ""
        self._troubles: dict[str, str] = {}
        self._changed_s: dict[str, float] = {}
        self._heard: dict[Address, bytes] = {}
        self._failures = 0
        self._polls: Counter[str] = Counter()
        self._changes: Counter[str] = Counter()
        self._reporting = Reporting(place.send_report, self._unix_s, self._polls, log)

    def __repr__(self) -> str:
        return f"<Following {self._config.url}: {self._trouble or 'believed'}>"

    def status(self) -> RegistryStatus:
        """Return what `ei node status` shows."""
        seen = self._catalogue
        return RegistryStatus(
            url=self._config.url,
            version=0 if seen is None else seen.version,
            seen_unix_s=self._seen_unix_s,
            expires_unix_s=0.0 if seen is None else seen.expires_unix_s,
            trouble=self._trouble,
            refused=dict(() if seen is None else seen.refused),
            services=tuple(map(self._followed, self._config.services)),
            polls=dict(self._polls),
            changes=dict(self._changes),
            bundles=tuple(map(self._followed, self._config.bundles)),
        )

    def pause_s(self) -> float:
        """Return for how long to wait until the next poll."""
        slower: int = 2 ** min(self._failures, SLOWEST)
        return self._config.poll_s * min(slower, SLOWEST)

    def hear(self, sender: Address, checkpoint: bytes) -> None:
        """Take note of what the log told another node; looked at with the next poll."""
        is_known = sender in self._heard or len(self._heard) < MAX_HEARD
        if is_known and len(checkpoint) <= MAX_CHECKPOINT_BYTES:
            self._heard[sender] = checkpoint
        else:
            self._polls["heard_refused"] += 1

    async def run(self) -> None:
        """Follow, for ever."""
        await self.recall()
        while True:
            await self.poll()
            again_s = self._now_s() + self.pause_s()
            while (left_s := again_s - self._now_s()) > 0:
                await asyncio.sleep(min(WATCH_S, left_s))
                await self.watch()

    async def recall(self) -> None:
        """Go by what was known before a restart: what was revoked then does not run again."""
        try:
            self._catalogue = await asyncio.to_thread(self._stored)
        except EiError:
            return  # the first poll says what is wrong
        for service in self._names:
            if self._revoked(service) is not None:
                await self._follow(service)

    async def poll(self) -> None:
        """Ask the registry once, and do what follows."""
        try:
            catalogue = await asyncio.to_thread(self._refresh)
        except IntegrityError as error:
            self._fail(error.word, f"{error.word}: {error}")
        except EiError as error:
            word = "unreachable" if isinstance(error, UnreachableError) else "failed"
            self._fail(word, str(error))
        else:
            self._polls["ok"] += 1
            self._failures, self._trouble = 0, ""
            self._seen_unix_s = self._unix_s()
            if self._catalogue is None or catalogue.checkpoint != self._catalogue.checkpoint:
                self._place.tell(catalogue.checkpoint)
            self._catalogue = catalogue
            for service in self._names:
                await self._follow(service)
            await self._reporting.send_again()

    async def watch(self) -> None:
        """Look at what new versions have done, and take back those that do worse."""
        for service, (digest, why) in self._running.take_dead().items():
            await self._give_up(service, digest, why)
        if self._gates.is_watching:
            verdicts = self._gates.verdicts(self._running.tallies(), now_s=self._now_s())
            for service, why in verdicts.items():
                await self._roll_back(service, why)
        for service in self._names:  # also what somebody went back to by hand
            self._halt_revoked(service)

    # -- one service ------------------------------------------------------------------------------

    def _releases_of(self, service: str) -> list[Release]:
        known = () if self._catalogue is None else self._catalogue.releases
        kind = "bundle" if service in self._config.bundles else "module"
        return [each for each in known if each.name == service and each.kind == kind]

    def _its(self, service: str) -> Changing:
        return self._bundles if service in self._config.bundles else self._running

    def _is_doubtful(self, service: str) -> bool:
        refused = () if self._catalogue is None else self._catalogue.refused
        doubts = (release for release, word in refused if word in DOUBTS)
        return any(release.partition("@")[0] == service for release in doubts)

    async def _follow(self, service: str) -> None:
        wanted = choose(
            self._releases_of(service),
            node=self._place.node,
            running=self._its(service).digest_of(service),
            is_from_file=self._its(service).is_from_file(service),
            is_doubtful=self._is_doubtful(service),
            given_up=self._given_up,
        )
        if wanted.stop:
            self._halt(service, wanted.stop)
        if wanted.release is not None and self._may_change(service):
            await self._take(wanted.release)
            self._halt_revoked(service)

    def _halt(self, service: str, why: str) -> None:
        self._log.error("service halted", service=service, reason=why)
        self._changes["revoked"] += 1
        self._troubles[service] = why
        self._its(service).halt(service, why)

    def _halt_revoked(self, service: str) -> None:
        """Halt what is revoked and runs: what was to take its place did not, or is it."""
        if (running := self._revoked(service)) is not None:
            self._halt(service, f"{running} is revoked: {running.revoked}")

    def _may_change(self, service: str) -> bool:
        """Whether enough time has passed; what runs and is revoked goes at once."""
        is_first = not self._its(service).digest_of(service)
        since_s = self._now_s() - self._changed_s.get(service, float("-inf"))
        if is_first or self._revoked(service) is not None or since_s >= self._config.change_s:
            return True
        self._changes["rate_limited"] += 1
        why = f"changed {since_s:.0f} s ago, again after {self._config.change_s:g} s"
        self._troubles[service] = why
        return False

    def _revoked(self, service: str) -> Release | None:
        """Return the release that runs, if it is revoked."""
        known = {each.digest: each for each in self._releases_of(service) if each.is_revoked}
        return known.get(self._its(service).digest_of(service)) if known else None

    async def _take(self, release: Release) -> None:
        before = self._running.tallies().get(release.name, Tally())
        try:
            package = await asyncio.to_thread(self._package, release)
            _ = await self._its(release.name).install(release.name, package)
        except (ServiceError, ConfigError) as error:
            self._changes["refused"] += 1
            await self._give_up(release.name, release.digest, str(error))
        except EiError as error:  # which says nothing of the release: it is tried again
            self._changes["failed"] += 1
            self._troubles[release.name] = str(error)
        else:
            self._changes["taken"] += 1
            self._changed_s[release.name] = self._now_s()
            _ = self._troubles.pop(release.name, "")
            if release.kind == "module":  # what a bundle does its services do
                now = self._running.tallies().get(release.name, Tally())
                self._gates.begin(release.name, before, now, now_s=self._now_s())
            self._log.info("release taken", release=str(release), share=release.share)

    async def _roll_back(self, service: str, why: str) -> None:
        digest = self._its(service).digest_of(service)
        try:
            _ = await self._running.go_back(service)
        except ConflictError:
            return  # another change is under way: the verdict is the same in a second
        except EiError as error:  # there was none before: then none is better
            why = f"{why}; {error}"
            self._running.halt(service, why)
        self._changes["rolled_back"] += 1
        await self._give_up(service, digest, why)

    async def _give_up(self, service: str, digest: str, why: str) -> None:
        """Run a release here never again, and tell the registry."""
        seen = self._gates.end(service, self._running.tallies().get(service, Tally()))
        self._log.error("release given up", service=service, digest=digest, reason=why)
        self._troubles[service] = why
        with suppress(LocalError):
            self._given_up.add(digest, why)
        version = next(
            (each.version for each in self._releases_of(service) if each.digest == digest), ""
        )
        if version:
            report = Report(
                node=self._place.node,
                name=service,
                version=version,
                digest=digest,
                events=seen.events,
                failed=seen.failed,
                why=why[:200],
                unix_s=int(self._unix_s()),
            )
            await self._reporting.send(report)

    # -- parts ------------------------------------------------------------------------------------

    def _known(self) -> Client:
        """Return the client, which is made at first. Blocks: on a thread."""
        if self._client is None:
            self._client = self._place.make_client()
        return self._client

    def _stored(self) -> Catalogue | None:
        with explained("cannot read what the registry has said"):
            return self._known().stored()

    def _package(self, release: Release) -> bytes:
        """Fetch a release. Blocks: on a thread."""
        with explained("cannot keep a release"):
            return self._known().package(release)

    def _refresh(self) -> Catalogue:
        """Ask the registry. Blocks: on a thread."""
        client = self._known()
        heard, self._heard = self._heard, {}
        for checkpoint in heard.values():
            try:
                client.hear(checkpoint)
            except IntegrityError as error:
                if error.word == "split_view":
                    raise
                self._polls["heard_refused"] += 1
        with explained("cannot keep what the registry says"):
            return client.refresh(unix_s=self._unix_s())

    def _fail(self, word: str, trouble: str) -> None:
        self._polls[word] += 1
        self._failures += 1
        if trouble != self._trouble:
            self._log.warn("registry not believed", reason=trouble)
        self._trouble = trouble

    def _followed(self, service: str) -> FollowedStatus:
        fit = [each for each in self._releases_of(service) if not each.is_revoked]
        newest = max(fit, key=lambda each: version_key(each.version), default=None)
        trouble = self._troubles.get(service, "")
        if newest is None:
            return FollowedStatus(service, trouble=trouble)
        return FollowedStatus(
            service=service,
            version=newest.version,
            digest=newest.digest,
            share=newest.share,
            is_taken=self._its(service).digest_of(service) == newest.digest,
            trouble=trouble or self._given_up.why(newest.digest),
        )
