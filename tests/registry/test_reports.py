"""Reports of nodes: signed, of known nodes, and a stop for what is rolled out to a part."""

from pathlib import Path

import msgspec
import pytest
from tests.registry.world import NOW, World, keys_of

from ei.errors import ConfigError, IntegrityError
from ei.records.addresses import format_address
from ei.registry.releases import Release
from ei.registry.reports import (
    ACCEPTED,
    MAX_AGE_S,
    REFUSED,
    UNKNOWN,
    Report,
    Reports,
    open_report,
    read_reporters,
    seal_report,
)

NODE, OTHER = keys_of("node"), keys_of("other")


def report(release: Release, **changes: object) -> Report:
    made = Report(
        node=NODE.address(1),
        name=release.name,
        version=release.version,
        digest=release.digest,
        events=100,
        failed=5,
        why="5 of 100 events failed",
        unix_s=int(NOW),
    )
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def reports(world: World) -> Reports:
    return Reports(world.registry, [NODE.address(1)], unix_s=lambda: NOW)


def share(world: World) -> float:
    return world.client().refresh(unix_s=NOW).releases[0].share


def test_d9_a_report_stops_what_a_part_of_the_nodes_has(world: World) -> None:
    release = world.submit()
    world.approve(release, share=0.05)
    taking = reports(world)

    status, said = taking.take(seal_report(report(release), NODE))

    assert (status, said) == (ACCEPTED, b"the roll-out is stopped\n")
    assert share(world) == 0.0
    assert taking.kept() == (report(release),)


def test_who_sends_a_report_again_does_not_stop_what_governance_lets_go_on(world: World) -> None:
    release = world.submit()
    world.approve(release, share=0.05)
    taking, envelope = reports(world), seal_report(report(release), NODE)
    _ = taking.take(envelope)
    world.registry.set_share("hello", "0.1.0", 0.05, unix_s=NOW)

    again = taking.take(envelope)[0]
    late = Reports(world.registry, [NODE.address(1)], unix_s=lambda: NOW + MAX_AGE_S + 1)

    assert (again, late.take(envelope)[0], share(world)) == (REFUSED, REFUSED, 0.05)


def test_what_all_nodes_have_one_report_does_not_stop(world: World) -> None:
    release = world.submit()
    world.approve(release, share=1.0)

    status, _ = reports(world).take(seal_report(report(release), NODE))

    assert (status, share(world)) == (ACCEPTED, 1.0)


def test_only_known_nodes_are_believed_and_only_of_releases(world: World) -> None:
    release = world.submit()
    world.approve(release, share=0.05)
    taking = reports(world)

    stranger = taking.take(seal_report(report(release, node=OTHER.address(1)), OTHER))
    unknown = taking.take(seal_report(report(release, version="9.0.0"), NODE))
    other = taking.take(seal_report(report(release, digest=f"sha256:{0:064}"), NODE))
    nonsense = taking.take(b"nonsense")

    assert [each[0] for each in (stranger, unknown, other, nonsense)] == [
        REFUSED,
        UNKNOWN,
        UNKNOWN,
        REFUSED,
    ]
    assert taking.statistics() == {"kept": 0, "stopped": 0, "refused": 4}
    assert share(world) == 0.05


def test_who_may_report_is_a_file_of_addresses(tmp_path: Path) -> None:
    path = tmp_path / "reporters"
    assert read_reporters(path) == ()
    address = NODE.address(1)

    _ = path.write_text(f"{format_address(address)}\n")

    assert read_reporters(path) == (address,)
    _ = path.write_text("sn1\n")
    with pytest.raises(ConfigError, match="reporters: "):
        _ = read_reporters(path)


def test_nobody_reports_for_another(world: World) -> None:
    release = world.submit()

    with pytest.raises(IntegrityError, match="signed by another than its node"):
        _ = open_report(seal_report(report(release), OTHER))
