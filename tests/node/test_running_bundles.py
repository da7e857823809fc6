"""Bundles of a registry on a node that runs: taken, refused, replaced and taken away."""

import asyncio
import io
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.node.conftest import RunningNode
from tests.node.test_node import SN1, config, records
from tests.registry.world import World

from ei.bundles import Rows, prepare_bundles
from ei.daemons.log import Log
from ei.errors import ConfigError, ConflictError, EiError
from ei.node.following import Changing
from ei.node.node import Node
from ei.node.remembering import RememberingControl
from ei.node.running_bundles import FOLDER, Place, RunningBundles
from ei.node.shelf import Shelf, digest_of_folder
from ei.registry.package import digest_of, pack
from ei.registry.releases import Release
from ei.runtime.loader import OWN_FOLDER
from ei.sdk.manifest import Manifest, load_manifest

DELIVERY, COMPRESSION = (load_manifest(OWN_FOLDER / name) for name in ("delivery", "compression"))
WHOLE = ("compression", "delivery", "compression")


class Bench:
    """A node that runs two services, and its bundles."""

    def __init__(self, folder: Path, *, replicated: frozenset[int] = frozenset()) -> None:
        self.folder = folder
        self.control = RememberingControl()
        self.at_start: tuple[Rows, ...] = ()
        self.node = self.begun_node()
        self.places: dict[str, Place] = {}
        self.named = ["mine", "outer"]
        self.replicated = replicated
        self.is_changing = False
        self.bundles = self.begun()

    def begun_node(self) -> Node:
        return Node(
            config(services=["delivery", "compression"]),
            keys=SN1,
            records=records(),
            manifests=[DELIVERY, COMPRESSION],
            bundles=self.at_start,
            datapath=self.control,
        )

    def begun(self) -> RunningBundles:
        return RunningBundles(
            self.node,
            Shelf(self.folder / "state", FOLDER),
            named=self.named,
            places=self.places,
            replicated=self.replicated,
            alone=self.alone,
            now_s=lambda: 0.0,
            log=Log(io.StringIO()),
        )

    @contextmanager
    def alone(self, _name: str) -> Generator[None]:
        if self.is_changing:
            raise ConflictError("delivery is being changed")
        yield

    def restart(self) -> None:
        self.node = self.begun_node()
        self.bundles = self.begun()
        self.bundles.begin()

    def install(
        self, *parts: str, name: str = "mine", version: str = "1.0.0", number: int = 112
    ) -> str:
        """Take a bundle, whose parts are names, or names and ranges such as `echo >=0.2`."""
        package = package_of(self.folder, parts, name=name, version=version, number=number)
        asyncio.run(self.bundles.install(name, package))
        return digest_of(package)

    def runs(self) -> dict[str, str]:
        """Return name and version of what is expanded, which its offers are as well."""
        here = self.node.services.bundles
        offered = {offer.service for offer in self.node.services.offers}
        assert offered == {16, 37, *here}
        return {rows.bundle.name: rows.bundle.version for rows in here.values()}


def package_of(
    folder: Path, parts: tuple[str, ...], *, name: str, version: str, number: int
) -> bytes:
    place = folder / "made" / name
    place.mkdir(parents=True, exist_ok=True)
    text = f'id = {number}\nname = "{name}"\nversion = "{version}"\nsummary = "x"\n'
    for part in parts:
        what, _, allowed = part.partition(" ")
        text += f'[[services]]\nname = "{what}"\nversion = "{allowed}"\n'
    _ = (place / "bundle.toml").write_text(text)
    return pack(place)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_they_are_what_following_asks_for() -> None:
    wanted = {name for name in vars(Changing) if not name.startswith("_")}

    assert wanted <= set(dir(RunningBundles))


def test_a_bundle_is_expanded_while_the_node_runs(bench: Bench) -> None:
    digest = bench.install(*WHOLE)

    assert bench.runs() == {"mine": "1.0.0"}
    assert bench.bundles.digest_of("mine") == digest
    assert not bench.bundles.is_from_file("mine")
    assert bench.control.commands[-1] == ("set_bundle", 112, (37, 16), (37, 16), (37,), ())


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("filter", "delivery"), "unknown_service: no service or bundle is called 'filter'"),
        (("delivery >=9.0",), r"wrong_version: delivery is 0\.\d\.0 here, >=9.0 allowed"),
        (("compression",), "no_sender"),
        (("small",), "unknown_service: no service or bundle is called 'small'"),
    ],
)
def test_what_does_not_fit_what_runs_here_is_refused_and_may_fit_later(
    bench: Bench, parts: tuple[str, ...], said: str
) -> None:
    _ = bench.install(*WHOLE)
    before = list(bench.control.commands)

    with pytest.raises(ConflictError, match=f"mine@1.1.0: line .*{said}"):
        _ = bench.install(*parts, version="1.1.0")

    assert (bench.runs(), bench.control.commands) == ({"mine": "1.0.0"}, before)


def test_what_is_no_bundle_anywhere_is_a_fault_of_the_release(bench: Bench) -> None:
    with pytest.raises(ConfigError):
        _ = bench.install("delivery", number=16)

    assert bench.runs() == {}


def test_a_number_does_not_change(bench: Bench) -> None:
    _ = bench.install(*WHOLE)

    with pytest.raises(ConflictError, match="id = 113 seen"):
        _ = bench.install(*WHOLE, version="1.1.0", number=113)

    assert bench.runs() == {"mine": "1.0.0"}


def test_a_state_that_is_the_clusters_is_in_no_bundle(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replicated=frozenset([37]))

    with pytest.raises(ConflictError, match="compression, whose state is the cluster's"):
        _ = bench.install(*WHOLE)


def test_none_is_taken_while_a_service_changes(bench: Bench) -> None:
    bench.is_changing = True

    with pytest.raises(ConflictError, match="being changed"):
        _ = bench.install(*WHOLE)

    assert bench.runs() == {}


def test_a_bundle_that_is_halted_is_gone_also_after_a_restart(bench: Bench) -> None:
    _ = bench.install(*WHOLE)

    bench.bundles.halt("mine", "it leaks")

    assert (bench.runs(), bench.bundles.digest_of("mine")) == ({}, "")
    assert bench.control.commands[-1] == ("set_bundle", 112, (), (), (), ())
    bench.restart()
    assert bench.runs() == {}
    _ = bench.install(*WHOLE, version="1.1.0")
    bench.restart()
    assert bench.runs() == {"mine": "1.1.0"}


def test_what_was_halted_and_node_toml_names_is_taken_away_after_a_restart(bench: Bench) -> None:
    _ = package_of(bench.folder, ("delivery",), name="mine", version="0.1.0", number=112)
    place = bench.folder / "made" / "mine"
    bench.places = {"mine": Place(place, digest_of_folder(place))}
    bench.at_start = prepare_bundles(["mine"], [place], [DELIVERY], chains={})
    bench.restart()
    assert bench.runs() == {"mine": "0.1.0"}

    bench.bundles.halt("mine", "it leaks")
    bench.restart()

    assert bench.runs() == {}


def test_what_ran_runs_after_a_restart_if_node_toml_still_names_it(bench: Bench) -> None:
    _ = bench.install(*WHOLE)
    digest = bench.install("mine", name="outer", number=113)
    bench.named = ["outer", "mine"]  # whose part comes after it

    bench.restart()

    assert bench.runs() == {"mine": "1.0.0", "outer": "1.0.0"}
    assert bench.bundles.digest_of("outer") == digest
    bench.named = ["outer"]
    bench.restart()
    assert bench.runs() == {}


def test_a_release_takes_the_place_of_what_node_toml_names(bench: Bench) -> None:
    _ = package_of(bench.folder, ("delivery",), name="mine", version="0.1.0", number=112)
    place = bench.folder / "made" / "mine"
    bench.places = {"mine": Place(place, digest_of_folder(place))}
    bench.bundles = bench.begun()
    assert bench.bundles.is_from_file("mine")
    assert bench.bundles.digest_of("mine") == digest_of_folder(place)

    _ = bench.install(*WHOLE)

    assert (bench.runs(), bench.bundles.is_from_file("mine")) == ({"mine": "1.0.0"}, False)


def test_a_bundle_within_a_bundle_changes_both(bench: Bench) -> None:
    _ = bench.install("delivery")
    _ = bench.install("mine <2.0", name="outer", number=113)

    _ = bench.install(*WHOLE, version="1.1.0")

    assert [rows.first for rows in bench.node.services.bundles.values()] == [(37, 16), (37, 16)]
    with pytest.raises(ConflictError, match=r"outer@1\.0\.0: .*mine is 2\.0\.0 here, <2\.0"):
        _ = bench.install("delivery", version="2.0.0")
    assert bench.runs() == {"mine": "1.1.0", "outer": "1.0.0"}


def test_what_is_halted_is_in_no_other_bundle(bench: Bench) -> None:
    _ = bench.install("delivery")
    _ = bench.install("mine", name="outer", number=113)

    bench.bundles.halt("mine", "it leaks")

    assert bench.runs() == {}
    with pytest.raises(EiError, match="no service or bundle is called 'mine'"):
        _ = bench.install("mine", name="outer", number=113)


def test_a_version_that_has_to_run_again_does_in_spite_of_a_bundle(bench: Bench) -> None:
    _ = bench.install("delivery")
    _ = bench.install("compression <9.0", "delivery", name="outer", number=113)
    again = Manifest(id=37, name="compression", version="9.0.0", summary="x")

    bench.bundles.make_way(again)

    assert bench.runs() == {"mine": "1.0.0"}


def followed(node: RunningNode) -> dict[str, object]:
    """Return what a node says of the one bundle that it follows."""
    registry = node.ask("status")["registry"]
    assert isinstance(registry, dict)
    (bundle,) = registry["bundles"]
    return dict(bundle)


@pytest.mark.slow
def test_a_bundle_of_a_registry_comes_to_a_node_stays_and_goes(
    node_file: Path, start_node: Callable[[Path], RunningNode], tmp_path: Path
) -> None:
    world = World(tmp_path / "world", unix_s=time.time())
    _ = (node_file.parent / "root.json").write_bytes(world.first_root)
    follow = f'[registry]\nurl = "{world.public}"\nbundles = ["mine"]\npoll_s = 0.1\nchange_s = 0\n'
    node = start_node(node_file)
    node.wait_ready()
    _ = node_file.write_text(f"{node_file.read_text()}\n{follow}")
    assert node.ask("reload")["needs_restart"] == []

    def release(version: str, *parts: str) -> Release:
        _ = package_of(tmp_path, parts, name="mine", version=version, number=0xF000_0009)
        made = world.submit_folder(tmp_path / "made" / "mine")
        world.approve(made)
        return made

    first = release("1.0.0", "delivery")
    node.wait_until(lambda: followed(node)["is_taken"] is True)
    _ = release("1.1.0", "telemetry", "delivery")
    node.wait_until(lambda: "is called 'telemetry'" in str(followed(node)["trouble"]))
    _ = node.ask("stop")
    assert node.end() == 0
    world.revoke(first, why="it leaks")

    again = start_node(node_file)

    again.wait_until(lambda: "bundle taken away" in again.log.read_text())
    assert "mine@1.0.0 is revoked: it leaks" in again.log.read_text()
