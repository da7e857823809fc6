"""What `ei demo` promises: it is run once, whole, for all tests of its parts."""

import json
from collections.abc import Mapping

import pytest

from ei.errors import ConfigError
from ei.lab.demo import Outcome, run_demo
from ei.lab.narrator import Narrator
from ei.lab.run_folder import run_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_every_promise_of_the_demo_is_kept(demo: Outcome) -> None:
    assert {each.name: each.status for each in demo.report.promises} == {
        each.name: "ok" for each in demo.report.promises
    }
    assert len(demo.report.promises) == 10
    assert demo.report.exit_code == 0


def test_its_json_is_that_of_a_scenario(demo: Outcome) -> None:
    document = json.loads(demo.report.json())

    assert (document["schema"], document["scenario"]) == ("ei.promises/1", "demo")
    assert (document["backend"], document["digest"]) == ("processes", None)


def test_its_report_is_one_whole_page(demo: Outcome) -> None:
    html = demo.path.read_text()

    assert "all promises kept" in html
    for title in ("The lab", "Packets per pipe", "Round trips", "Multicast", "A worker is killed"):
        assert title in html


def test_a_file_that_is_not_there_ends_it_at_once_and_leaves_nothing(
    environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    absent = tmp_path_factory.mktemp("demo") / "absent"

    with pytest.raises(ConfigError, match=r"cannot read .*absent"):
        run_demo(Narrator(is_quiet=True), file=absent, environ=environ)

    labs = run_folder("any", environ).path.parent
    assert not [path for path in labs.iterdir() if path.name.startswith("demo-")]
