"""A node that follows a registry, whose answers and whose modules are the test's."""

import asyncio
import errno
import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import structs
from tests.node.test_rollout import NODE, release

from ei.daemons.log import Log
from ei.errors import ConflictError, IntegrityError, ServiceError, UnreachableError
from ei.node.following import MAX_CHECKPOINT_BYTES, Following, Place
from ei.node.gates import Tally
from ei.node.registry_config import RegistryConfig
from ei.registry.releases import Catalogue, Release
from ei.registry.reports import Report
from ei.sdk import Address


class World:
    """A registry, a node's modules and a clock; all blocks of what a `Following` is given."""

    def __init__(self, folder: Path, **config: object) -> None:
        self.now_s = 1_000.0
        self.releases: list[Release] = []
        self.refusal: Exception | None = None
        self.known: Catalogue | None = None
        self.runs: dict[str, str] = {}
        self.before: dict[str, str] = {}
        self.unfit: set[str] = set()
        self.refused: tuple[tuple[str, str], ...] = (("bad@1.0.0", "unlogged"),)
        self.failure: Exception | None = None
        self.dead: dict[str, tuple[str, str]] = {}
        self.counts: dict[str, Tally] = {}
        self.lost_by_changes = Tally()
        self.halted: dict[str, str] = {}
        self.reports: list[Report] = []
        self.is_deaf = False
        self.told: list[bytes] = []
        self.heard: list[bytes] = []
        self.following = Following(
            RegistryConfig(
                url="http://r:1",
                services=("hello",),
                **{"change_s": 0.0, **config},  # type: ignore[arg-type]
            ),
            Place(NODE, lambda: self, self.report, self.told.append),
            (self, self),
            state=folder,
            clock=(lambda: self.now_s, lambda: self.now_s),
            log=Log(io.StringIO()),
        )

    # -- the registry

    def stored(self) -> Catalogue | None:
        return self.known

    def refresh(self, *, unix_s: float) -> Catalogue:
        if self.refusal is not None:
            raise self.refusal
        return Catalogue(
            releases=tuple(self.releases),
            refused=self.refused,
            version=7,
            expires_unix_s=unix_s + 60,
            root_version=1,
            log_size=3,
            checkpoint=b"note",
        )

    def report(self, report: Report) -> None:
        if self.is_deaf:
            raise UnreachableError("nobody answers")
        self.reports.append(report)

    def package(self, release: Release) -> bytes:
        if self.failure is not None:
            raise self.failure
        return release.digest.encode()

    def hear(self, checkpoint: bytes) -> None:
        self.heard.append(checkpoint)
        if checkpoint != b"note":
            raise IntegrityError("another history", word="split_view")

    # -- the modules

    def digest_of(self, service: str) -> str:
        return self.runs.get(service, "")

    def is_from_file(self, service: str) -> bool:
        return not self.digest_of(service)

    def tallies(self) -> Mapping[str, Tally]:
        return self.counts

    async def install(self, service: str, package: bytes) -> None:
        if package.decode() in self.unfit:
            raise ServiceError(f"{service}: its worker does not start")
        self.before[service], self.runs[service] = self.runs.get(service, ""), package.decode()
        if self.lost_by_changes.events:
            self.counts[service] = self.lost_by_changes

    async def go_back(self, service: str) -> None:
        self.runs[service] = self.before[service]

    def halt(self, service: str, why: str) -> None:
        del self.runs[service]
        self.halted[service] = why

    def take_dead(self) -> Mapping[str, tuple[str, str]]:
        dead, self.dead = self.dead, {}
        return dead

    def poll(self) -> None:
        asyncio.run(self.following.poll())

    def watch(self) -> None:
        asyncio.run(self.following.watch())


def bundle_release(version: str, revoked: str = "") -> Release:
    module = release(version, revoked=revoked)
    digest = module.digest.replace("sha256:0", "sha256:b")
    return structs.replace(module, name="small", kind="bundle", digest=digest)


def test_an_approved_release_runs_with_the_next_poll(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.releases = [release("1.0.0")]

    world.poll()

    assert world.runs == {"hello": world.releases[0].digest}
    assert world.told == [b"note"]
    status = world.following.status()
    assert (status.version, status.trouble, status.refused) == (7, "", {"bad@1.0.0": "unlogged"})
    assert (status.services[0].is_taken, status.services[0].share) == (True, 1.0)
    assert (status.polls, status.changes) == ({"ok": 1}, {"taken": 1})


@pytest.mark.parametrize("word", ["threshold", "rollback", "freeze", "mix_and_match"])
def test_what_is_refused_changes_nothing_and_is_said(tmp_path: Path, word: str) -> None:
    world = World(tmp_path)
    world.releases = [release("1.0.0")]
    world.poll()
    world.releases = [release("1.0.0"), release("1.1.0")]
    world.refusal = IntegrityError("what was shown", word=word)

    world.poll()

    assert world.runs == {"hello": world.releases[0].digest}
    status = world.following.status()
    assert status.trouble == f"{word}: what was shown"
    assert status.polls == {"ok": 1, word: 1}


def test_a_registry_that_is_away_is_asked_less_often(tmp_path: Path) -> None:
    world = World(tmp_path, poll_s=10.0)
    world.refusal = UnreachableError("nobody answers")
    pauses: list[float] = []
    for _ in range(6):
        world.poll()
        pauses.append(world.following.pause_s())

    assert pauses == [20.0, 40.0, 80.0, 100.0, 100.0, 100.0]
    world.refusal = None
    world.poll()
    assert world.following.pause_s() == 10.0


def test_what_the_version_before_held_is_not_held_against_the_new_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.releases = [release("1.0.0")]
    world.poll()
    world.releases.append(release("1.1.0"))
    world.lost_by_changes = Tally(40, 40)
    world.poll()
    world.counts = {"hello": Tally(140, 40)}

    world.watch()

    assert (world.runs, world.reports) == ({"hello": release("1.1.0").digest}, [])


def test_a_report_that_could_not_be_sent_is_sent_with_the_next_poll(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.releases = [release("1.0.0"), release("1.1.0")]
    world.poll()
    world.dead = {"hello": (release("1.1.0").digest, "SIGKILL")}
    world.is_deaf = True
    world.watch()
    assert world.reports == []

    world.is_deaf = False
    world.poll()

    assert [each.version for each in world.reports] == ["1.1.0"]


def test_d9_a_canary_that_fails_goes_back_and_says_so_signed_for_all(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.releases = [release("1.0.0")]
    world.poll()
    world.counts = {"hello": Tally(1_000, 0)}
    world.releases.append(release("1.1.0"))
    world.poll()
    world.counts = {"hello": Tally(1_100, 5)}

    world.watch()
    world.poll()

    good, bad = world.releases
    assert world.runs == {"hello": good.digest}
    [report] = world.reports
    assert (report.version, report.digest, report.events, report.failed) == (
        "1.1.0",
        bad.digest,
        100,
        5,
    )
    assert world.following.status().changes == {"taken": 2, "rolled_back": 1}
    assert "5 of 100 events failed" in world.following.status().services[0].trouble


def test_what_does_not_start_or_live_is_not_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, second, third = release("1.0.0"), release("1.1.0"), release("1.2.0")
    world.releases, world.unfit = [first, second], {second.digest}
    world.poll()
    world.poll()
    assert world.following.status().changes == {"refused": 1, "taken": 1}
    world.releases.append(third)
    world.poll()
    world.runs["hello"] = first.digest
    world.dead = {"hello": (third.digest, "SIGKILL")}

    world.watch()
    world.poll()

    assert world.runs == {"hello": first.digest}
    assert [(each.version, each.why) for each in world.reports][1] == ("1.2.0", "SIGKILL")


def test_what_is_revoked_is_replaced_or_halted_at_once(tmp_path: Path) -> None:
    world = World(tmp_path, change_s=3_600.0)
    first, second = release("1.0.0"), release("1.1.0")
    world.releases = [first, second]
    world.poll()
    world.releases = [first, release("1.1.0", revoked="it leaks")]
    world.poll()
    assert world.runs == {"hello": first.digest}

    world.releases = [release("1.0.0", revoked="so does this"), world.releases[1]]
    world.poll()

    assert world.halted == {"hello": "hello@1.0.0 is revoked: so does this"}
    assert world.runs == {}


def test_what_was_revoked_does_not_run_after_a_restart_without_the_registry(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.runs = {"hello": release("1.0.0").digest}
    world.releases = [release("1.0.0", revoked="it leaks"), release("1.1.0")]
    world.known = world.refresh(unix_s=0.0)
    world.refusal = UnreachableError("nobody answers")

    asyncio.run(world.following.recall())

    assert world.runs == {"hello": release("1.1.0").digest}


def test_what_is_revoked_is_halted_though_nothing_else_can_be_fetched(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.releases = [release("1.0.0")]
    world.poll()
    world.releases = [release("1.0.0", revoked="it leaks"), release("1.1.0")]
    world.failure = UnreachableError("nobody answers")

    world.poll()
    assert (world.runs, world.halted) == ({}, {"hello": "hello@1.0.0 is revoked: it leaks"})
    world.failure = None
    world.poll()

    assert world.runs == {"hello": release("1.1.0").digest}


def test_what_is_revoked_is_halted_though_somebody_went_back_to_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.releases = [release("1.0.0", revoked="it leaks"), release("1.1.0")]
    world.poll()
    world.refusal = UnreachableError("nobody answers")
    world.runs["hello"] = release("1.0.0").digest

    world.watch()

    assert world.halted == {"hello": "hello@1.0.0 is revoked: it leaks"}


@pytest.mark.parametrize("is_dead", [True, False])
def test_no_version_goes_back_to_one_that_is_revoked(tmp_path: Path, *, is_dead: bool) -> None:
    world = World(tmp_path)
    world.releases = [release("1.0.0")]
    world.poll()
    world.releases = [release("1.0.0", revoked="it leaks"), release("1.1.0")]
    world.poll()
    if is_dead:
        world.runs["hello"] = release("1.0.0").digest
        world.dead = {"hello": (release("1.1.0").digest, "SIGKILL")}
    else:
        world.counts = {"hello": Tally(100, 50)}

    world.watch()

    assert (world.runs, world.halted) == ({}, {"hello": "hello@1.0.0 is revoked: it leaks"})
    assert [each.version for each in world.reports] == ["1.1.0"]


@pytest.mark.parametrize(
    "failure",
    [
        IntegrityError("other bytes", word="package"),
        OSError(errno.ENOSPC, "No space left on device"),
        ConflictError("another is being changed"),
    ],
)
def test_what_says_nothing_of_a_release_is_not_held_against_it(
    tmp_path: Path, failure: Exception
) -> None:
    world = World(tmp_path)
    world.releases, world.failure = [release("1.0.0")], failure
    world.poll()
    assert (world.runs, world.reports) == ({}, [])
    assert world.following.status().changes == {"failed": 1}
    assert world.following.status().services[0].trouble
    world.failure = None

    world.poll()

    assert world.runs == {"hello": release("1.0.0").digest}


def test_a_full_disk_is_a_trouble_and_no_end(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.refusal = OSError(errno.ENOSPC, "No space left on device")

    world.poll()

    status = world.following.status()
    assert (status.polls, "No space left" in status.trouble) == ({"failed": 1}, True)


@pytest.mark.parametrize("word", ["unlogged", "unsigned"])
def test_who_withholds_what_proves_a_release_does_not_take_its_nodes_back(
    tmp_path: Path, word: str
) -> None:
    world = World(tmp_path)
    world.releases = [release("1.0.0"), release("1.1.0")]
    world.poll()
    world.releases, world.refused = [release("1.0.0")], (("hello@1.1.0", word),)

    world.poll()
    assert (world.runs, world.halted) == ({"hello": release("1.1.0").digest}, {})
    world.refused = ()
    world.poll()

    assert world.runs == {"hello": release("1.0.0").digest}


def test_versions_change_only_so_often(tmp_path: Path) -> None:
    world = World(tmp_path, change_s=60.0)
    world.releases = [release("1.0.0")]
    world.poll()
    world.releases.append(release("1.1.0"))
    world.now_s += 59

    world.poll()
    assert world.following.status().changes == {"taken": 1, "rate_limited": 1}
    world.now_s += 1
    world.poll()

    assert world.runs == {"hello": world.releases[1].digest}


def test_a_log_that_tells_another_node_another_history_is_not_believed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.releases = [release("1.0.0")]
    sender = Address(b"o" * 16)
    world.following.hear(sender, b"note")
    world.poll()
    world.releases.append(release("1.1.0"))
    world.following.hear(sender, b"another")

    world.poll()

    world.following.hear(sender, bytes(MAX_CHECKPOINT_BYTES + 1))
    assert world.following.status().polls["heard_refused"] == 1
    assert world.heard == [b"note", b"another"]
    assert world.following.status().trouble == "split_view: another history"
    assert world.runs == {"hello": world.releases[0].digest}


def test_bundles_are_followed_like_services_after_them(tmp_path: Path) -> None:
    world = World(tmp_path, bundles=("small",))
    module, bundle = release("1.0.0"), bundle_release("1.0.0")
    world.releases = [bundle, module, structs.replace(bundle, kind="module", version="2.0.0")]

    world.poll()

    assert list(world.runs.items()) == [("hello", module.digest), ("small", bundle.digest)]
    status = world.following.status()
    assert [(each.service, each.version, each.is_taken) for each in status.bundles] == [
        ("small", "1.0.0", True)
    ]
    assert [each.service for each in status.services] == ["hello"]


def test_a_bundle_that_is_revoked_is_taken_away(tmp_path: Path) -> None:
    world = World(tmp_path, bundles=("small",))
    world.releases = [bundle_release("1.0.0")]
    world.poll()
    world.releases = [bundle_release("1.0.0", revoked="it leaks")]

    world.poll()

    assert (world.runs, world.halted) == ({}, {"small": "small@1.0.0 is revoked: it leaks"})
    assert world.following.status().bundles[0].trouble == "small@1.0.0 is revoked: it leaks"


def test_a_bundle_whose_part_is_not_here_is_tried_again_and_nobody_is_told(tmp_path: Path) -> None:
    world = World(tmp_path, bundles=("small",))
    world.releases = [bundle_release("1.0.0")]
    world.failure = ConflictError("small@1.0.0: line 6: unknown_service: no filter")
    world.poll()
    status = world.following.status()
    assert (world.runs, world.reports, status.changes) == ({}, [], {"failed": 1})
    assert status.bundles[0].trouble == "small@1.0.0: line 6: unknown_service: no filter"
    world.failure = None

    world.poll()

    assert world.runs == {"small": world.releases[0].digest}


def test_no_errors_are_held_against_a_bundle(tmp_path: Path) -> None:
    world = World(tmp_path, bundles=("small",))
    world.releases = [bundle_release("1.0.0")]
    world.poll()
    world.counts = {"small": Tally(1_000, 900)}

    world.watch()

    assert world.runs == {"small": world.releases[0].digest}
