"""`ei dev` on a real node: a save takes effect within a second, and nothing ends it but Ctrl-C."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from ei.cli.module_new import write_module
from ei.daemons.client import ask
from ei.daemons.messages import encode_line
from ei.errors import EiError
from ei.runtime.mortality import die_with_parent

PYTHON = [sys.executable, "-m", "ei"]
LIMIT_S = 20.0
EFFECT_S = 1.0
"""From a save to its effect, at most."""


class Terminals:
    """Two of them: one in which `ei dev` runs, and one for other commands."""

    number = 0xF000_0001

    def __init__(self, home: Path) -> None:
        self.folder = home / "hello"
        _ = write_module(self.folder, "packet", number=self.number)
        self.service = self.folder / "service.py"
        self.good = self.service.read_text()
        self.environ = {**os.environ, "XDG_STATE_HOME": str(home), "COLUMNS": "80"}
        self._log = home / "dev.log"
        with self._log.open("wb") as log:
            self.dev = subprocess.Popen(
                [*PYTHON, "dev", str(self.folder)],
                env=self.environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(as_at_a_terminal, os.getpid()),  # noqa: PLW1509 no threads
            )
        self.host = home / "ei" / "lab" / "dev-hello" / "alice.dev" / "admin.sock"

    def said(self) -> str:
        return self._log.read_text()

    def until(self, pattern: str, *, since: int = 0) -> str:
        """Return what was said after `since`, once that has the pattern."""
        ends_s = time.monotonic() + LIMIT_S
        while time.monotonic() < ends_s:
            said = self.said()[since:]
            if re.search(pattern, said):
                return said
            assert self.dev.poll() is None, f"it ended:\n{self.said()}"
            time.sleep(0.01)
        raise AssertionError(f"not said within {LIMIT_S} s: {pattern}\n{self.said()}")

    def invoke(self, text: str, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PYTHON, "invoke", "hello", text, *more],
            env=self.environ,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    def answer(self, payload: bytes) -> bytes | None:
        """Return what comes back of a packet, without the start of a program."""
        wanted = {"service": self.number, "payload": payload.hex(), "deadline_s": 1.0}
        came = ask(self.host, "invoke", wanted)["payload"]
        return bytes.fromhex(came) if isinstance(came, str) else None

    def until_answered(self, wanted: bytes) -> float:
        """Ask until the answer to `ping` is this; return how long that took, in seconds."""
        began_s = time.monotonic()
        came: object = None
        while came != wanted:
            assert time.monotonic() - began_s < LIMIT_S, f"{came!r}\n{self.said()}"
            try:
                came = self.answer(b"ping")
            except EiError as error:  # too many ask at once
                came = error
        return time.monotonic() - began_s

    def save(self, old: str, new: str) -> int:
        """Save the service with a change; return how much was said before."""
        since = len(self.said())
        _ = self.service.write_text(self.good.replace(old, new) if old else self.good)
        return since

    def ends(self, number: signal.Signals) -> int:
        self.dev.send_signal(number)
        return self.dev.wait(LIMIT_S)


def as_at_a_terminal(parent: int) -> None:
    """Hear Ctrl-C, which who runs the tests in the background ignores; leave nothing either."""
    _ = signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent(parent)


@pytest.fixture
def terminals() -> Generator[Terminals]:
    with tempfile.TemporaryDirectory(prefix="ei-", dir="/tmp") as home:
        made = Terminals(Path(home))
        try:
            _ = made.until("loaded in")
            yield made
        finally:
            if made.dev.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    _ = made.ends(signal.SIGINT)
                made.dev.kill()


def effect_s(terminals: Terminals, number: int) -> float:
    """Return how long a save took to be answered by."""
    _ = terminals.save('f"{ctx', f'f"{number} {{ctx')
    return terminals.until_answered(b"%d hello ping" % number)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_save_takes_effect_within_a_second(terminals: Terminals) -> None:
    took_s = [effect_s(terminals, number) for number in range(5)]
    if sorted(took_s)[2] >= EFFECT_S:  # something else may have had the machine for a moment
        took_s = [effect_s(terminals, number) for number in range(5, 10)]

    assert sorted(took_s)[2] < EFFECT_S, took_s


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_other_terminal_sees_answer_receipt_and_cost_and_errors_with_their_line(
    terminals: Terminals,
) -> None:
    said = terminals.invoke("ping")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith('→ "hello ping"\nreceipt accepted, by sn1.dev   there and back ')
    assert re.search(r"cpu .* of 10 ms   effects 1 of 64   memory .* of 64 MiB", said.stdout)

    since = terminals.save("event.packet", "event.paket")
    _ = terminals.until("loaded in", since=since)
    said = terminals.invoke("ping")
    assert said.returncode == 1
    assert "receipt dropped (service_error), by sn1.dev" in said.stdout
    assert "EI-2002 service.py:29: PacketArrived: AttributeError: " in said.stderr
    assert "EI-2002 service.py:29" in terminals.until("EI-2002", since=since)


LOOP = "while True: pass\n        packet = event.packet"


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("packet = event.packet", LOOP, "EI-2003 service.py:29: PacketArrived: more than"),
        ("packet = event.packet", "sum(range(10**12))",
         "EI-2003 service.py:27: PacketArrived: one call took more than the 10 ms"),
        ("packet = event.packet", "raise SystemExit", "EI-2004 service.py:27: PacketArrived: exit"),
        ("packet = event.packet", "bytes(10**9)", "EI-2002 service.py:29: PacketArrived: Memory"),
        ("yield SendPacket", "return SendPacket", "EI-2005 service.py:27: PacketArrived: NoAnswer"),
        ("SERVICE = ", "while True: pass\nSERVICE = ",
         "EI-2001 service.py:38: takes more CPU time to load than its tier allows"),
        ("SERVICE = ", "sum(range(10**12))\nSERVICE = ",
         "EI-2003 service.py:1: loading: more than the 250 ms"),
        ("SERVICE = ", "raise ValueError('no')\nSERVICE = ",
         "EI-2001 service.py:38: cannot be loaded: ValueError"),
        ("import msgspec", "import msgspec\nimport os", "EI-2001 service.py:9: imports os: "),
        ("    def on_packet", "    def on_pakcet", "EI-2001 service.py: class Hello: on_packet is"),
    ],
)  # fmt: skip
def test_nothing_that_a_module_does_ends_it(
    terminals: Terminals, old: str, new: str, said: str
) -> None:
    since = terminals.save(old, new)
    _ = terminals.until("loaded in|EI-", since=since)
    _ = terminals.answer(b"ping")

    assert said in " ".join(terminals.until(said[:7], since=since).split())
    since = terminals.save("", "")
    _ = terminals.until("loaded in", since=since)
    assert terminals.answer(b"ping") == b"hello ping"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_what_is_stored_is_kept_from_save_to_save(terminals: Terminals) -> None:
    manifest = terminals.folder / "manifest.toml"
    text = manifest.read_text().replace("tier =", "stable_bytes = 1_000\ntier =")
    _ = manifest.write_text(text)
    since = terminals.save(
        "        packet = event.packet",
        "        packet = event.packet\n"
        '        count = int(ctx.stable.get(b"n") or b"0") + 1\n'
        '        ctx.stable.put(b"n", b"%d" % count)\n'
        '        packet = msgspec.structs.replace(packet, payload=b"%d" % count)',
    )
    _ = terminals.until("loaded in .* \\(state kept", since=since)
    assert terminals.answer(b"") == b"hello 1"

    since = len(terminals.said())
    _ = terminals.service.write_text(terminals.service.read_text() + "# again\n")
    _ = terminals.until("loaded in .* \\(state kept", since=since)

    assert terminals.answer(b"") == b"hello 2"


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing(terminals: Terminals, number: signal.Signals) -> None:
    assert terminals.ends(number) == 0
    assert terminals.said().endswith("ended; 0 processes, sockets and files left\n")
    assert not terminals.host.exists()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_lab_dies_with_it_however_it_dies(terminals: Terminals) -> None:
    terminals.dev.kill()

    ends_s = time.monotonic() + LIMIT_S
    while terminals.host.parent.exists():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_second_one_for_the_same_module_is_refused(terminals: Terminals) -> None:
    said = subprocess.run(
        [*PYTHON, "dev", str(terminals.folder)],
        env=terminals.environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 6
    assert "ei lab down --lab dev-hello" in said.stderr


def messages(said: str) -> list[str]:
    """Return every error that was said, with its remedy."""
    return re.findall(r"✗ (EI-\d{4} .*\n  .*\n)", said)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_c15_aborted_requests_syntax_errors_and_fifty_saves_a_second_end_nothing(
    terminals: Terminals,
) -> None:
    for _ in range(1_000):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
            asked.connect(str(terminals.host))
            asked.sendall(encode_line({"verb": "invoke", "service": terminals.number}))
    terminals.until_answered(b"hello ping")

    for number in range(100):
        since = terminals.save("SERVICE =", f"def broken{number}(:\nSERVICE =")
        assert "service.py:38: no Python: " in terminals.until("next save is tried", since=since)

    began_s = time.monotonic()
    for number in range(250):
        _ = terminals.save('f"{ctx', f'f"{number} {{ctx')
        time.sleep(max(0.0, began_s + (number + 1) / 50 - time.monotonic()))
    took_s = terminals.until_answered(b"249 hello ping")

    assert terminals.dev.poll() is None
    said = messages(terminals.said())
    assert len(said) >= 100
    assert not [each for each in said if len(each.split()) < 8]
    assert took_s < EFFECT_S, took_s
