import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.main import COMMANDS, build_parser

HEAVY = ("ei._core", "asyncio", "cryptography", "dpkt", "msgspec", "rich", "shtab", "socket")


def test_help_lists_every_command_with_what_it_does(ei: Run) -> None:
    said = ei("--help")

    assert said.code == Exit.OK
    for name in COMMANDS:
        assert f"\n  {name}  " in said.out
    assert "commands:\n  demo" in said.out


def test_no_command_shows_the_help_and_is_no_success(ei: Run) -> None:
    said = ei()

    assert said.code == Exit.ERROR
    assert "usage: ei" in said.err
    assert said.out == ""


def test_a_misspelt_command_is_suggested_not_guessed(ei: Run) -> None:
    said = ei("decod", "x")

    assert said.code == Exit.ERROR
    assert "EI-1001" in said.err
    assert "did you mean decode" in said.err


def test_flags_are_never_abbreviated(ei: Run) -> None:
    assert ei("version", "--js").code == Exit.ERROR


def test_help_loads_nothing_heavy() -> None:
    script = "import sys; from ei.cli import main; main(['--help']); print(*sys.modules)"

    said = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )

    assert not set(HEAVY) & set(said.stdout.splitlines()[-1].split())


def test_every_command_explains_itself() -> None:
    waiting = [build_parser()]
    while waiting:
        parser = waiting.pop()
        waiting.extend(parser.children.values())
        assert parser.description


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("version >&-", Exit.OK),
        ("version --json >&-", Exit.OK),
        ("foo 2>&-", Exit.ERROR),
        ("foo >&- 2>&-", Exit.ERROR),
        ("2>&-", Exit.ERROR),
    ],
)
@pytest.mark.slow
def test_a_closed_stream_changes_no_exit_code(words: str, code: Exit) -> None:
    script = "import sys; from ei.cli import main; sys.exit(main())"
    command = f"{sys.executable} -c {shlex.quote(script)} {words}"

    said = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)

    assert said.returncode == code
    assert said.stderr == said.stdout == ""


def test_a_closed_pipe_ends_the_command_quietly() -> None:
    script = "import sys; from ei.cli import main; sys.exit(main(['completion', 'bash']))"
    command = f"{sys.executable} -c {script!r} | head -c 10"

    said = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True)

    assert said.stderr == ""


WAITS = """
import sys
from ei.cli import main
sys.exit(main(["top", "--interval", "60s", "--socket", "nowhere"]))
"""


def catches(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.slow
@pytest.mark.parametrize("ignored", ["", "INT"])
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, Exit.TERMINATED), (signal.SIGHUP, Exit.HUNG_UP)],
)
def test_a_signal_ends_a_command_in_order_and_is_its_exit_code(
    number: signal.Signals, code: Exit, ignored: str
) -> None:
    # Whoever runs the tests by nohup has them all ignore SIGHUP.
    caught = f"env --default-signal={number.name} {sys.executable} -c {shlex.quote(WAITS)}"
    shell = f"trap '' {ignored or 'USR1'}; exec {caught}"
    command = subprocess.Popen(["bash", "-c", shell], stderr=subprocess.PIPE)
    while not catches(command.pid, number):
        os.sched_yield()

    command.send_signal(number)
    _, said = command.communicate()

    assert command.returncode == code
    assert said == b""


def test_signals_are_as_they_were_after_a_command(ei: Run) -> None:
    before = signal.getsignal(signal.SIGTERM)

    _ = ei("version")

    assert signal.getsignal(signal.SIGTERM) is before


WORDS = st.sampled_from(
    [
        *COMMANDS,
        "--json",
        "--plain",
        "-q",
        "--help",
        "--where",
        "=",
        "",
        "\x1b[31m",
        "up",
        "0",
        "-1",
    ]
)


@pytest.mark.slow
@pytest.mark.timeout(180)
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(words=st.lists(WORDS | st.text(max_size=5), max_size=4))
def test_no_arguments_at_all_lead_to_a_traceback(ei: Run, words: list[str]) -> None:
    harmless = [word for word in words if word not in {"demo", "bench", "run", "up", "top"}]

    said = ei(*harmless)

    assert said.code in set(Exit)
    assert "Traceback" not in said.err
    assert "✗ EI-9000" not in said.err
    assert "\x1b" not in said.err
