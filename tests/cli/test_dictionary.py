"""`ei dictionary`: what it trains is read by its version; what it refuses."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.lab.processes import start_lab, stop_lab
from ei.lab.topology_file import load_topology
from ei.ways.dictionaries import version_of

TOPOLOGY = """\
version = 1
services = ["delivery", "compression"]

[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.alice]
nodes = ["sn1"]
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A file of messages, one a line."""
    random = Random(1)
    lines = [f'{{"meter":{random.randrange(10**6)},"celsius":{n % 40}}}\n' for n in range(1_000)]
    file = tmp_path / "log.jsonl"
    _ = file.write_text("".join(lines))
    return file


def test_a_dictionary_is_trained_and_says_how_much_smaller_it_makes(
    ei: Run, log: Path, tmp_path: Path
) -> None:
    out = tmp_path / "meter.dict"

    said = ei("dictionary", "train", "--version", "7", "--out", str(out), "--lines", str(log))

    assert said.code == Exit.OK
    assert "of 1,000 messages, which it makes" in said.out
    assert version_of(out.read_bytes()) == 7


def test_each_file_of_a_folder_is_a_message(ei: Run, log: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "samples", tmp_path / "meter.dict"
    folder.mkdir()
    for number, line in enumerate(log.read_text().splitlines()):
        _ = (folder / str(number)).write_text(line)

    said = ei("dictionary", "train", "--version", "1", "--out", str(out), str(folder))

    assert "of 1,000 messages" in said.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "--version", "0", "--out", "x", "y"), "1 and up"),
        (("train", "--version", "1", "--out", "x", "--size", "99999", "y"), "1 to 32768 B"),
        (("train", "--version", "1", "--out", "x", "/nowhere"), "/nowhere: cannot be read"),
        (("train", "--version", "1", "--out", "x", "/dev/null"), "the samples make no dictionary"),
        (("offer", "alice"), "HOST and FILE needed, 1 words given"),
    ],
)
def test_what_cannot_be_done_is_said(ei: Run, words: tuple[str, ...], said: str) -> None:
    done = ei("dictionary", *words)

    assert done.code == Exit.ERROR
    assert said in done.err


@pytest.mark.slow
def test_a_host_offers_it_to_its_node(ei: Run, log: Path, tmp_path: Path) -> None:
    out, file = tmp_path / "meter.dict", tmp_path / "topology.toml"
    _ = file.write_text(TOPOLOGY)
    made = ei("dictionary", "train", "--version", "2", "--out", str(out), "--lines", str(log))
    assert made.code == Exit.OK
    with tempfile.TemporaryDirectory(prefix="ei-") as state:
        environ: Mapping[str, str] = {**os.environ, "XDG_STATE_HOME": state}
        lab = start_lab(load_topology(file), name="offers", seed=1, environ=environ)
        try:
            socket = lab.daemons["alice.isp-a"].admin
            said = ei("dictionary", "offer", str(out), "--socket", socket)
            again = ei("dictionary", "offer", str(log), "--socket", socket)
        finally:
            _ = stop_lab(name="offers", environ=environ)

    assert "version 2 for delivery" in said.out
    assert said.code == Exit.OK
    assert "no dictionary with a number above 0x8000" in again.err
