"""A module of a node of the lab changes its version, and what cannot is said with its reason."""

from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.node.test_prepare import MANIFEST, SERVICE

from ei.cli.exits import Exit


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_d9_what_is_no_version_of_a_service_that_runs_is_refused(lab: Run, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(MANIFEST)
    _ = (folder / "service.py").write_text(SERVICE)

    said = lab("node", "upgrade", "sn1.isp-a", "plain", str(folder))
    none = lab("node", "downgrade", "sn1.isp-a", "echo")

    assert said.code != Exit.OK
    assert "does not run here" in said.err
    assert none.code != Exit.OK
    assert "o version of echo ran here before" in none.err


def test_a_service_without_a_folder_is_asked_for_one(ei: Run) -> None:
    said = ei("node", "upgrade", "echo")

    assert said.code == Exit.ERROR
    assert "FOLDER" in said.err
