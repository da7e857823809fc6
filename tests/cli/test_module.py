from pathlib import Path

from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.main import build_parser
from ei.cli.module import VERBS


def test_its_verbs_come_in_the_order_in_which_an_author_needs_them() -> None:
    assert tuple(build_parser().children["module"].children) == VERBS


def test_what_is_daily_is_a_command_by_itself_as_well() -> None:
    parser = build_parser()

    for verb in ("dev", "invoke"):
        here, there = parser.children[verb], parser.children["module"].children[verb]
        assert here.get_default("execute") is there.get_default("execute")


def test_a_folder_without_a_manifest_is_no_module(ei: Run, tmp_path: Path) -> None:
    said = ei("module", "test", str(tmp_path))

    assert said.code == Exit.NEGATIVE
    assert f"{tmp_path} is no module: there is no manifest.toml" in said.err
    assert "ei module new NAME" in said.err
