"""A node runs the bundles that it names, if they have no fault."""

from pathlib import Path

import pytest
from msgspec import structs
from tests.bundles.toys import write_bundle

from ei.bundles import prepare_bundles
from ei.errors import ConfigError, NotFoundError
from ei.runtime.loader import OWN_FOLDER
from ei.sdk.manifest import load_manifest

RUNNING = [load_manifest(OWN_FOLDER / name) for name in ("delivery", "compression")]


def test_a_bundle_of_what_runs_here_is_prepared(tmp_path: Path) -> None:
    _ = write_bundle(tmp_path, "compression", "delivery", "compression")

    (rows,) = prepare_bundles(["mine"], [tmp_path], RUNNING, chains={})

    assert (rows.first, rows.to_nodes) == ((37, 16), (37,))


def test_a_bundle_with_a_fault_is_refused_by_line(tmp_path: Path) -> None:
    _ = write_bundle(tmp_path, "compression")

    with pytest.raises(ConfigError, match=r"bundle\.toml:6: no_sender"):
        _ = prepare_bundles(["mine"], [tmp_path], RUNNING, chains={})


def test_a_bundle_that_is_nowhere_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no bundle 'mine'; there are: none"):
        _ = prepare_bundles(["mine"], [tmp_path], RUNNING, chains={})


def test_who_names_none_reads_nothing(tmp_path: Path) -> None:
    assert prepare_bundles([], [tmp_path / "missing"], RUNNING, chains={}) == ()


def test_what_runs_counts_and_not_what_is_in_the_folders(tmp_path: Path) -> None:
    place = write_bundle(tmp_path, "compression", "delivery") / "bundle.toml"
    _ = place.write_text(
        place.read_text().replace('"compression"', '"compression"\nversion = ">=7"')
    )
    newer = [RUNNING[0], structs.replace(RUNNING[1], version="7.0.0")]

    (rows,) = prepare_bundles(["mine"], [tmp_path], newer, chains={})

    assert rows.first == (37, 16)
    with pytest.raises(ConfigError, match="wrong_version"):
        _ = prepare_bundles(["mine"], [tmp_path], RUNNING, chains={})
