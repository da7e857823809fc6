"""Children that become programs, each of a process of its own that has no threads."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.slow

BEGIN = """
import os, signal, socket, sys, time
from ei.errors import DeniedError
from ei.ways.launching import launch
"""


def run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(script), *words],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip


def test_the_program_has_its_arguments_its_environment_and_its_exit_code() -> None:
    done = run("""
        os.environ["TAKEN"] = "away"
        script = 'echo "$0 $1 $GIVEN ${TAKEN-none} $HOME"; exit 7'
        launched = launch(["sh", "-c", script, "a", "b c"])
        assert launched.go({"GIVEN": "by us", "TAKEN": None}) is None
        print("ended with", launched.wait())
    """)

    assert done.stdout.splitlines() == [f"a b c by us none {os.environ['HOME']}", "ended with 7"]


def test_a_program_that_a_signal_ended_is_told_as_shells_do() -> None:
    done = run("""
        launched = launch(["sh", "-c", "kill -9 $$"])
        launched.go({})
        print(launched.wait())
    """)

    assert done.stdout == "137\n"


@pytest.mark.parametrize(
    ("program", "code", "text"),
    [
        ("no-such-program", 127, "there is no program 'no-such-program'"),
        ("/etc/passwd/x", 127, "there is no program '/etc/passwd/x'"),
        ("/etc", 126, "'/etc' may not be run: Permission denied"),
    ],
)
def test_what_cannot_be_run_is_named(program: str, code: int, text: str) -> None:
    done = run(f"""
        not_run = launch([{program!r}]).go({{}})
        print(not_run.code, not_run.text)
    """)

    assert done.stdout == f"{code} {text}\n"


def test_what_was_prepared_is_used_outside() -> None:
    done = run("""
        def prepare():
            listening = socket.create_server(("127.0.0.1", 0))
            os.environ["PORT"] = str(listening.getsockname()[1])
            return [listening]

        script = "import os, socket\\n"
        script += "socket.create_connection(('127.0.0.1', int(os.environ['PORT'])))"
        launched = launch([sys.executable, "-c", script], prepare)
        launched.go({})
        launched.sockets[0].accept()
        print("accepted", launched.wait())
    """)

    assert done.stdout == "accepted 0\n"


def test_a_preparation_that_is_refused_leaves_no_child() -> None:
    done = run("""
        def prepare():
            raise DeniedError("not here", remedy="elsewhere")

        try:
            launch(["true"], prepare)
        except DeniedError as error:
            print(error, error.remedy)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            print("no child")
    """)

    assert done.stdout == "not here elsewhere\nno child\n"


def test_a_child_that_was_never_let_go_ends_with_its_parent() -> None:
    done = run("""
        launched = launch(["echo", "must not be seen"])
        launched.close()
        print(os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]))
    """)

    assert done.stdout == "126\n"


def test_the_program_ends_with_whoever_runs_it_whatever_ends_that() -> None:
    script = """
        script = 'trap "echo terminated; exit" TERM; echo $$; while :; do sleep 0.05; done'
        launched = launch(["sh", "-c", script])
        launched.go({})
        launched.wait()
    """
    command = [sys.executable, "-c", BEGIN + textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert int(running.stdout.readline()) > 0

        running.kill()

        assert running.stdout.readline() == "terminated\n"
        assert running.stdout.read() == ""  # nobody has it open any more


def test_signals_that_python_ignores_are_not_ignored_by_the_program() -> None:
    done = run("""
        launched = launch(["cat", "/proc/self/status"])
        launched.go({})
        launched.wait()
    """)

    ignored = int(
        next(line for line in done.stdout.splitlines() if "SigIgn" in line).split()[1], 16
    )
    assert not ignored & 1 << (signal.SIGPIPE - 1)
