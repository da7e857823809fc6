import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests.conform.planted import HONEST
from tests.runtime.jail.conftest import MANIFEST, attempts, need

from ei.conform.differences import effects_in
from ei.conform.judge import TRUSTED, Judged, Refusal
from ei.runtime.jail import LAYERS, Jail
from ei.runtime.voices import Jailed, hear
from ei.sdk import SendPacket

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

ON_IMPORT = (
    "read a file of the system", "write a file", "list a folder", "look at a file", "fork",
    "a socket of IPv4", "a pair of sockets", "run a program", "signal the parent", "by frames",
    "by subclasses", "by ctypes",
)  # fmt: skip
"""Attempts of a module while it is imported; it is, before each event of a law."""

ESCAPES = Path(__file__).parents[1] / "runtime" / "jail" / "escapes.py"

WITHOUT_LANDLOCK = """
import os, struct, sys
from ei.runtime.jail.system import call, prctl
prctl(38, 1)  # PR_SET_NO_NEW_PRIVS
for _ in range(16):  # as many as there may be: no more can be closed
    rules = call("landlock_create_ruleset", struct.pack("=Q", 1 << 6), 8, 0)
    call("landlock_restrict_self", rules, 0)
    os.close(rules)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Starts a program where that layer of a jail cannot be had."""


def judged(
    folder: Path, *more: str, before: Sequence[str] = ()
) -> tuple[Judged | Refusal, Jail | None]:
    """Return what a judge found, and how its jail stood."""
    reader, writer = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
    os.set_blocking(reader, False)
    try:
        said = subprocess.run(
            [
                *(sys.executable, *before, "-m", "ei.conform.judge"),
                *(str(os.getpid()), str(writer), str(folder), "1", "8", *more),
            ],
            check=True,
            capture_output=True,
            pass_fds=[writer],
        )
        words = hear(reader)
    finally:
        os.close(reader)
        os.close(writer)
    jail = words.jail if isinstance(words, Jailed) else None
    return msgspec.msgpack.decode(said.stdout, type=Judged | Refusal), jail


def escaping(place: Path) -> Path:
    """Return a module that makes every attempt to get out: by event, and some when imported."""
    folder = place / "escapes"
    (folder / "corpus").mkdir(parents=True)
    text = ESCAPES.read_text().replace("main(name)", "tried(name)")
    text = text.replace("def tried(name)", "def main(name)")
    text += f"""
ON_IMPORT = {{f"import {{name}}": main(name) for name in {ON_IMPORT!r}}}

def tried(name):
    return ON_IMPORT[name] if name in ON_IMPORT else main(name)
"""
    _ = (folder / "manifest.toml").write_text(MANIFEST)
    _ = (folder / "service.py").write_text(text)
    names = (*attempts(), *(f"import {name}" for name in ON_IMPORT))
    lines = (json.dumps({"packet": {"from": "alice", "metadata": name}}) for name in names)
    _ = (folder / "corpus" / "attempts.jsonl").write_text("\n".join(lines))
    return folder


@pytest.mark.skipif(platform.machine() != "x86_64", reason="calls by their numbers on x86_64")
def test_c6_what_a_module_tries_to_get_out_of_its_judge_comes_to_nothing(tmp_path: Path) -> None:
    need(*LAYERS)

    answer, jail = judged(escaping(tmp_path))

    assert isinstance(answer, Judged)
    assert jail == Jail(LAYERS)
    told = answer.tried.told[1]
    sent = [
        effect.packet
        for replies in told.replies
        for _, reply in replies
        for effect in effects_in(reply)
        if isinstance(effect, SendPacket)
    ]
    outcomes = {packet.metadata.decode(): packet.payload.decode() for packet in sent}
    assert len(outcomes) == len(attempts()) + len(ON_IMPORT)
    assert not {name: said for name, said in outcomes.items() if not said.startswith("denied")}


def test_what_it_found_is_on_its_standard_output(tmp_path: Path) -> None:
    answer, jail = judged(HONEST.plant(tmp_path), TRUSTED)

    assert isinstance(answer, Judged)
    assert all(law.result != "broken" for law in answer.tried.laws)
    assert jail is not None
    assert {*jail.layers, *jail.missing} == {*LAYERS}


def test_or_why_it_found_nothing(tmp_path: Path) -> None:
    answer, jail = judged(tmp_path)

    assert isinstance(answer, Refusal)
    assert answer.kind == "ConfigError"
    assert jail is None


def test_no_stranger_runs_in_a_jail_with_a_gap(tmp_path: Path) -> None:
    need(*LAYERS)

    answer, jail = judged(HONEST.plant(tmp_path), before=["-c", WITHOUT_LANDLOCK])

    assert isinstance(answer, Refusal)
    assert answer.kind == "DeniedError"
    assert "landlock: landlock_restrict_self: Argument list too long" in answer.said
    assert "ei module conform --trusted" in answer.remedy
    assert jail is not None
    assert "landlock" in jail.missing


def test_but_one_that_was_read_does(tmp_path: Path) -> None:
    need(*LAYERS)

    answer, _ = judged(HONEST.plant(tmp_path), TRUSTED, before=["-c", WITHOUT_LANDLOCK])

    assert isinstance(answer, Judged)
