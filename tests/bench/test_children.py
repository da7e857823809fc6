"""What a benchmark's processes promise: they hear, say, and are ended whatever they do."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ei.bench.children import Child, on_core, python
from ei.errors import DeadlineError, LocalError

Start = Callable[..., Child]

WAIT_S = 10.0
"""Far more than any of them takes."""

ECHO = """
import sys
for line in sys.stdin:
    print('{"heard": %s}' % line.strip(), flush=True)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start Python programs that end with the test."""
    with ExitStack() as stack:

        def one(program: str, *, cpu: int | None = None, end_limit_s: float = WAIT_S) -> Child:
            # Without site-packages it starts in a tenth of the time.
            command = (sys.executable, "-I", "-S", "-c", program)
            child = Child("child", command, cpu=cpu, log=tmp_path / "log", end_limit_s=end_limit_s)
            return stack.enter_context(child)

        yield one


def test_it_hears_what_it_is_told_and_is_heard(start: Start) -> None:
    child = start(ECHO)

    child.tell(["go", 1])

    assert child.hear(deadline_s=WAIT_S) == {"heard": ["go", 1]}


def test_lines_that_come_at_once_are_heard_one_by_one(start: Start) -> None:
    child = start("""print('{"a": 1}\\n{"b": 2}')""")

    assert child.hear(deadline_s=WAIT_S) == {"a": 1}
    assert child.hear(deadline_s=WAIT_S) == {"b": 2}


def test_a_line_that_comes_in_pieces_is_heard_whole(start: Start) -> None:
    child = start(
        """import sys
print('{"a":', end="", flush=True)
sys.stdin.readline()
print(' 1}')"""
    )
    with pytest.raises(DeadlineError):
        child.hear(deadline_s=0.1)

    child.tell("go on")

    assert child.hear(deadline_s=WAIT_S) == {"a": 1}


def test_silence_is_said_at_the_deadline(start: Start) -> None:
    child = start(ECHO)
    began_s = time.monotonic()

    with pytest.raises(DeadlineError, match=r"child: no answer in 0\.05 s"):
        child.hear(deadline_s=0.05)

    assert time.monotonic() - began_s < WAIT_S / 2


def test_an_error_that_it_tells_is_raised(start: Start) -> None:
    child = start("""print('{"error": "no pipe"}')""")

    with pytest.raises(LocalError, match="child: no pipe"):
        child.hear(deadline_s=WAIT_S)


@pytest.mark.parametrize("said", ["junk", "[1]"])
def test_what_is_no_json_object_is_shown(start: Start, said: str) -> None:
    child = start(f"print({said!r})")

    with pytest.raises(LocalError, match="not a JSON object") as caught:
        child.hear(deadline_s=WAIT_S)

    assert said in str(caught.value)


def test_one_that_ends_leaves_its_last_words(start: Start) -> None:
    child = start("import sys; sys.exit('first\\nlast')")

    with pytest.raises(LocalError, match="child ended: last"):
        child.hear(deadline_s=WAIT_S)


def test_details_that_follow_its_last_words_are_left_out(start: Start) -> None:
    child = start("import sys; sys.exit('x The port is in use.\\n  See who has it.\\n\\n')")

    with pytest.raises(LocalError, match=r"child ended: x The port is in use\.$"):
        child.hear(deadline_s=WAIT_S)


def test_one_that_ends_without_a_word_does_not_borrow_those_of_an_earlier_one(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "log").write_text("last words of another\n")
    child = start("")

    with pytest.raises(LocalError, match="child ended: without a word"):
        child.hear(deadline_s=WAIT_S)


def test_telling_one_that_has_ended_says_so_and_it_can_still_be_left(start: Start) -> None:
    child = start("import sys; sys.exit('no such namespace')")
    while not child.has_ended:
        os.sched_yield()

    with pytest.raises(LocalError, match="child ended: no such namespace"):
        child.tell("x" * 100)

    assert child.end() == 1


def test_the_end_of_its_input_ends_it(start: Start) -> None:
    child = start(ECHO)
    assert not child.has_ended

    assert child.end() == 0
    assert child.has_ended


def test_what_it_says_after_the_hang_up_can_be_heard(start: Start) -> None:
    child = start("""import sys
sys.stdin.read()
print('{"received": 7}')""")

    child.hang_up()

    assert child.hear(deadline_s=WAIT_S) == {"received": 7}


@pytest.mark.parametrize(
    ("program", "number"),
    [
        ("import time; time.sleep(60)", signal.SIGTERM),
        (
            """import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{}', flush=True)
time.sleep(60)""",
            signal.SIGKILL,
        ),
    ],
)
def test_what_does_not_end_is_ended(start: Start, program: str, number: signal.Signals) -> None:
    child = start(program, end_limit_s=0.05)
    if number == signal.SIGKILL:
        child.hear(deadline_s=WAIT_S)  # It ignores SIGTERM from now on.

    assert child.end() == -number


def test_one_that_does_not_heed_its_input_can_be_asked_to_end(start: Start) -> None:
    child = start("import time; time.sleep(60)")

    child.terminate()

    assert child.end() == -signal.SIGTERM


def test_an_error_in_the_block_ends_it_too(tmp_path: Path) -> None:
    command = (sys.executable, "-I", "-S", "-c", ECHO)

    with (
        pytest.raises(ZeroDivisionError),
        Child("child", command, cpu=None, log=tmp_path / "log") as child,
    ):
        raise ZeroDivisionError

    assert child.has_ended


@pytest.mark.parametrize("cpu", [0, 1, 1_000])
def test_it_runs_on_one_core_of_those_that_are_allowed(start: Start, cpu: int) -> None:
    child = start(
        """import os
print('{"cores": %s}' % sorted(os.sched_getaffinity(0)))""",
        cpu=cpu,
    )
    allowed = sorted(os.sched_getaffinity(0))

    cores = child.hear(deadline_s=WAIT_S)["cores"]

    assert cores == [allowed[cpu % len(allowed)]]


def test_a_block_runs_on_one_core_and_what_follows_where_it_may() -> None:
    allowed = os.sched_getaffinity(0)

    with on_core(1):
        within = os.sched_getaffinity(0)

    assert within == {sorted(allowed)[1 % len(allowed)]}
    assert os.sched_getaffinity(0) == allowed


def test_our_modules_are_run_by_this_interpreter() -> None:
    assert python("ei.bench.plain", "forward") == (
        sys.executable, "-m", "ei.bench.plain", "forward",
    )  # fmt: skip
