"""What cuts a service that computes too long. Its programs start a nursery, see conftest.py."""

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.slow

Program = Callable[[str], str]

SPENT = """
# The kernel looks at timers of CPU time at its ticks, and two of them come before the end.
TICKS_MS = 2 * time.clock_getres(6) * 1000  # CLOCK_MONOTONIC_COARSE

def spent_s(pid):
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return None

def cut(metadata):
    [end] = start()
    _ = ask(end, packet())
    pid = reports(1)[0].pid
    began_s = last_s = spent_s(pid)
    end.send(msgspec.msgpack.encode(EventBatch(2, 0, 1.0, 1e9, (packet(metadata),))))
    ended = []
    while not ended:
        time.sleep(0.001)
        last_s = spent_s(pid) or last_s
        ended = [each for each in nursery.take_reports() if not isinstance(each, WorkerJailed)]
    return round((last_s - began_s) * 1000), ended[0].cause
"""


def test_c1_a_call_that_never_comes_back_is_cut_within_twice_the_limit(program: Program) -> None:
    said = program(f"{SPENT}\nms, cause = cut(b'sum')\nprint(ms <= 100 + TICKS_MS or ms, cause)")

    assert said == "True SIGXCPU: one call took more CPU time than its manifest's handler_ms\n"


def test_c1_a_handler_that_holds_on_to_its_exceptions_is_cut_within_twice_the_limit(
    program: Program,
) -> None:
    said = program(
        f"{SPENT}\nms, cause = cut(b'stubborn')\nprint(ms <= 100 + TICKS_MS or ms, cause[:7])"
    )

    assert said == "True SIGXCPU\n"


def test_a_call_within_the_limit_is_not_cut(program: Program) -> None:
    said = program(
        """
[end] = start()
for _ in range(30):
    assert words(ask(end, packet(b"brief"))) == ["unwanted"]
print("well")
"""
    )

    assert said == "well\n"


def test_c3_a_module_that_never_ends_to_begin_is_cut(program: Program) -> None:
    said = program(
        """
manifest = FOLDER / "manifest.toml"
_ = manifest.write_text('tier = "nano"\\n' + manifest.read_text().replace("handler_ms = 50", ""))
service = FOLDER / "service.py"
_ = service.write_text("sum(range(10**12))\\n" + service.read_text())
_ = start()
print(reports(2)[1].cause[:7])
"""
    )

    assert said == "SIGXCPU\n"


def test_c3_of_a_module_that_loops_while_it_loads_the_line_is_said(program: Program) -> None:
    said = program(
        """
manifest = FOLDER / "manifest.toml"
_ = manifest.write_text('tier = "nano"\\n' + manifest.read_text().replace("handler_ms = 50", ""))
service = FOLDER / "service.py"
_ = service.write_text("x = 1\\nwhile True: pass\\n" + service.read_text())
_ = start()
print(reports(2)[1].cause)
"""
    )

    assert "/service.py:2: takes more CPU time to load than its tier allows" in said


def test_who_works_in_short_bursts_is_never_cut(program: Program) -> None:
    said = program(
        """
manifest = FOLDER / "manifest.toml"
_ = manifest.write_text(manifest.read_text().replace("handler_ms = 50", "handler_ms = 4"))
[end] = start()
for _ in range(6_000):
    assert words(ask(end, packet(), packet())) == ["unwanted"] * 2
print("well")
"""
    )

    assert said == "well\n"
