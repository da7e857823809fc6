"""Bundles are found by folder, beside services."""

from pathlib import Path

import pytest
from tests.bundles.toys import write_bundle

from ei.bundles import bundle_folder_of, find_bundles, known_in
from ei.errors import NotFoundError


def test_a_folder_is_a_bundle_or_holds_some(tmp_path: Path) -> None:
    one = write_bundle(tmp_path, "delivery", name="one")
    two = write_bundle(tmp_path, "delivery", name="two")

    assert find_bundles([tmp_path]) == {"one": one, "two": two}
    assert find_bundles([one]) == {"one": one}


def test_the_services_of_this_program_are_known_everywhere(tmp_path: Path) -> None:
    _ = write_bundle(tmp_path, "delivery")

    known = known_in([tmp_path])

    assert list(known.bundles) == ["mine"]
    assert {"delivery", "compression"} <= known.services.keys()


def test_a_bundle_that_is_not_there_is_refused_by_those_that_are(tmp_path: Path) -> None:
    _ = write_bundle(tmp_path, "delivery")

    with pytest.raises(NotFoundError, match="no bundle 'yours'; there are: mine"):
        _ = bundle_folder_of("yours", [tmp_path])
