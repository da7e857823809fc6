"""What the parent of the workers hears of one. Its programs start a nursery, see conftest.py."""

from collections.abc import Callable

import pytest
from tests.runtime.jail.conftest import need

from ei.runtime.jail import LAYERS

pytestmark = pytest.mark.slow

Program = Callable[[str], str]


def test_a_worker_says_how_its_jail_stands_before_its_first_answer(program: Program) -> None:
    need(*LAYERS)

    said = program(
        """
[end] = start()
_ = ask(end, packet())
started = reports(1)[0]
while not jails:
    jails += nursery.take_reports()
print(jails[0].pid == started.pid, jails[0].jail)
"""
    )

    assert said == "True closed\n"


def test_c11_what_a_service_writes_to_the_log_is_made_harmless(program: Program) -> None:
    said = program(
        """
[end] = start()
_ = ask(end, packet(b"shout"))
end.close()
print(reports(2)[1].cause)
"""
    )

    assert said == "exit 0\nworker subject: \\x1b[2J\\x1b]0;owned\\x07 all is well\n"
