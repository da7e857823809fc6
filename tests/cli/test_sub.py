"""`ei pub` and `ei sub` in a lab: what is kept is shown, live or later."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.sub import line_of, parse_since
from ei.lab.processes import start_lab, stop_lab
from ei.lab.topology_file import load_topology

TOPOLOGY = """\
version = 1
services = ["delivery", "pubsub"]

[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.alice]
nodes = ["sn1"]
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """The admin socket of a host whose node offers pub/sub."""
    file = tmp_path / "topology.toml"
    _ = file.write_text(TOPOLOGY)
    with tempfile.TemporaryDirectory(prefix="ei-") as state:
        environ: Mapping[str, str] = {**os.environ, "XDG_STATE_HOME": state}
        lab = start_lab(load_topology(file), name="pubsub", seed=1, environ=environ)
        try:
            yield lab.daemons["alice.isp-a"].admin
        finally:
            _ = stop_lab(name="pubsub", environ=environ)


@pytest.mark.slow
def test_what_is_kept_is_shown_later_the_retained_one_first(ei: Run, host: str) -> None:
    for words in (("a/b", "one", "--keep"), ("a/c", "two", "--retain"), ("d", "three", "--keep")):
        assert ei("pub", *words, "--socket", host).code == Exit.OK

    said = ei(
        "sub",
        "a/+",
        "--since",
        "all",
        "--retained",
        "--count",
        "3",
        "--socket",
        host,
        "--for",
        "9s",
    )

    assert said.out.splitlines() == ["a/c  two", "a/b  one", "a/c  two"]
    assert said.code == Exit.OK


@pytest.mark.slow
def test_a_name_goes_on_where_it_was(ei: Run, host: str) -> None:
    words = ("sub", "a", "--name", "mine", "--socket", host, "--for", "1s")
    assert ei(*words).code == Exit.NEGATIVE
    _ = ei("pub", "a", "one", "--keep", "--socket", host)

    first, second = ei(*words, "--json"), ei(*words)

    assert first.document["filter"] == "a"
    assert second.code == Exit.NEGATIVE


def test_control_characters_do_not_reach_the_terminal() -> None:
    message = {"subject": "a", "data": "G1sybQ==", "lost": 2}

    assert line_of(message) == "a  \\x1b[2m  (2 before it were lost)"


def test_how_far_back_is_a_time_or_all() -> None:
    assert parse_since("10m") == 600.0
    assert parse_since("all") == -1.0


def test_a_filter_is_needed(ei: Run) -> None:
    assert "HOST and FILTER needed, 0 given" in ei("sub").err
