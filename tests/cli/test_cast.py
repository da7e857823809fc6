"""`ei cast send` and `ei cast receive` in a lab."""

import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.daemons.client import ask
from ei.lab.processes import start_lab, stop_lab
from ei.lab.topology_file import load_topology

TOPOLOGY = """\
version = 1
services = ["delivery", "multicast"]

[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.alice]
nodes = ["sn1"]
[domains.isp-a.hosts.bob]
nodes = ["sn1"]

[domains.isp-a.groups.news]
nodes = ["sn1"]
senders = ["alice"]
"""


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Admin sockets of two hosts."""
    file = tmp_path / "topology.toml"
    _ = file.write_text(TOPOLOGY)
    with tempfile.TemporaryDirectory(prefix="ei-") as state:
        environ = {**os.environ, "XDG_STATE_HOME": state}
        lab = start_lab(load_topology(file), name="cast", seed=1, environ=environ)
        try:
            yield {name: lab.daemons[f"{name}.isp-a"].admin for name in ("alice", "bob")}
        finally:
            _ = stop_lab(name="cast", environ=environ)


@pytest.mark.slow
def test_a_file_goes_to_who_waits_for_it(ei: Run, hosts: dict[str, str], tmp_path: Path) -> None:
    film, folder = tmp_path / "film", tmp_path / "here"
    _ = film.write_bytes(os.urandom(50_000))
    folder.mkdir()
    wanted = {"group": "news.isp-a", "folder": str(folder), "deadline_s": 20.0}
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(ask, Path(hosts["bob"]), "cast_receive", wanted, deadline_s=30.0)

        said = ei(
            "cast", "send", str(film), "--to", "news.isp-a", "--linger", "2s",
            "--socket", hosts["alice"], "--json",
        )  # fmt: skip

        assert said.code == Exit.OK
        sent = json.loads(said.out)
        assert received.result()["digest"] == sent["digest"]
    assert (folder / "film").read_bytes() == film.read_bytes()

    late = ei(
        "cast", "receive", "--from", "news.isp-a", "--into", str(folder), "--timeout", "1s",
        "--socket", hosts["bob"],
    )  # fmt: skip

    assert late.code == Exit.TIMEOUT
    assert "Within 1 s there was no whole file sent to news.isp-a" in late.err


def test_too_few_words_are_refused(ei: Run) -> None:
    said = ei("cast", "send", "film", "--to", "news.isp-a")

    assert said.code == Exit.ERROR
    assert "HOST and FILE needed, 1 words given" in said.err


def test_its_help_shows_how(ei: Run) -> None:
    assert "ei cast send alice film.mp4 --to news.isp-a" in ei("cast", "send", "--help").out
