"""Law 1. A service is a function: event and context in, effects out.

Checked for every script of every service, since a Playbook answers twice: by an instance that has
seen all, and by one that is loaded afresh for each event. The violations are kept here.
"""

from pathlib import Path

import pytest

from ei.errors import ServiceError
from ei.runtime.loader import load_service
from ei.testing import Playbook

MANIFEST = """
id = 0xF0000001
name = "planted"
version = "0.0.1"
summary = "Breaks law 1."
ephemeral_bytes = 1_000
counters = ["seen"]
drop_reasons = ["unwanted"]
"""

HONEST = """
from ei.sdk import Count, DropPacket, Service

class Planted(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        seen = len(ctx.ephemeral.get(b"seen") or b"") + 1
        ctx.ephemeral.put(b"seen", bytes(seen))
        yield Count("seen", seen)
        yield DropPacket("unwanted")

SERVICE = Planted
"""

IN_A_GLOBAL = """
from ei.sdk import Count, DropPacket, Service

SEEN = []

class Planted(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        SEEN.append(event)
        yield Count("seen", len(SEEN))
        yield DropPacket("unwanted")

SERVICE = Planted
"""

IN_A_DEFAULT = IN_A_GLOBAL.replace("event, ctx", "event, ctx, seen=[]").replace("SEEN", "seen")
IN_AN_ATTRIBUTE = IN_A_GLOBAL.replace("    __slots__ = ()\n", "    seen = 0\n")
BY_THE_CLOCK = IN_A_GLOBAL.replace("SEEN = []", "import time")


def plant(tmp_path: Path, source: str) -> Path:
    folder = tmp_path / "planted"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(MANIFEST)
    _ = (folder / "service.py").write_text(source)
    return folder


def play_twice(folder: Path) -> None:
    play = Playbook(folder)
    _ = play.packet("alice")
    _ = play.packet("alice")


def test_what_is_kept_in_a_store_is_there_for_every_instance(tmp_path: Path) -> None:
    play_twice(plant(tmp_path, HONEST))


@pytest.mark.parametrize("source", [IN_A_GLOBAL, IN_A_DEFAULT])
def test_what_is_kept_elsewhere_is_caught(tmp_path: Path, source: str) -> None:
    with pytest.raises(AssertionError, match="law 1: a fresh instance answers otherwise"):
        play_twice(plant(tmp_path, source))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (IN_AN_ATTRIBUTE, "instances have attributes"),
        (BY_THE_CLOCK, "imports time: the time comes in"),
    ],
)
def test_what_can_be_seen_before_it_runs_is_not_loaded(
    tmp_path: Path, source: str, said: str
) -> None:
    with pytest.raises(ServiceError, match=said):
        _ = load_service(plant(tmp_path, source))
