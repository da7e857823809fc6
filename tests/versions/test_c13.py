"""C13: a module of the version before makes the same here of the same events, byte for byte."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import msgspec
import pytest
from tests.versions.conftest import ROOT

from ei.conform.corpus import batches, draw_story
from ei.runtime.batches import EventBatch
from ei.runtime.loader import load_service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PLAYER = Path(__file__).with_name("player.py")
WHOLE = ("delivery", "echo", "reach")
"""Modules that are one file: others would import the files of the version that runs them."""
EVENTS = 256


def recorded(name: str) -> bytes:
    """Record a corpus, in the bytes that both versions read."""
    story = draw_story(load_service(name), Random(13), events=EVENTS)
    told: list[tuple[int, float, float, bytes]] = []
    for sent in batches(story):
        batch = msgspec.msgpack.decode(sent.batch, type=EventBatch)
        told.append((sent.origin, batch.now_s, batch.unix_s, sent.batch))
    return msgspec.msgpack.encode(told)


def played(tree: Path, folder: Path, corpus: bytes) -> dict[str, object]:
    """Play a corpus to the module of a folder by the code of a tree."""
    done = subprocess.run(
        [sys.executable, PLAYER, folder],
        input=corpus,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
    )
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize("name", WHOLE)
def test_c13_a_module_of_the_version_before_makes_the_same_here(name: str, previous: Path) -> None:
    folder = previous / "src" / "ei" / "services" / name
    corpus = recorded(name)

    here, there = played(ROOT, folder, corpus), played(previous, folder, corpus)

    assert here == there
    assert not here["faults"]


@pytest.mark.parametrize("name", WHOLE)
def test_c13_a_module_of_this_version_makes_the_same_on_the_one_before(
    name: str, previous: Path, tmp_path: Path
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    own = ROOT / "src" / "ei" / "services" / name
    for file in ("manifest.toml", "service.py"):
        _ = (folder / file).write_bytes((own / file).read_bytes())
    corpus = recorded(name)

    assert played(ROOT, folder, corpus) == played(previous, folder, corpus)
