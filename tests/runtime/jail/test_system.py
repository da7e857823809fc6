import os

import pytest
from tests.runtime.jail.conftest import alone

from ei.runtime.jail.system import call, number_of, prctl


def test_a_call_is_made_by_its_number() -> None:
    assert call("getpid") == os.getpid()


def test_what_the_kernel_refuses_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="close: Bad file descriptor") as failed:
        _ = call("close", -1)

    assert failed.value.errno == 9
    with pytest.raises(OSError, match="prctl: Invalid argument"):
        _ = prctl(0x7FFF)


def test_a_machine_that_is_not_known_has_no_numbers() -> None:
    assert number_of("read", "x86_64") == 0
    assert number_of("read", "aarch64") == 63
    assert number_of("poll", "aarch64") is None
    assert number_of("read", "vax") is None


def test_a_signal_is_taken_once_and_then_has_its_usual_consequence() -> None:
    said = alone(
        """
import os, signal
from ei.runtime.jail.system import take_once
take_once(signal.SIGXCPU)
os.kill(os.getpid(), signal.SIGXCPU)
pid = os.fork()
if not pid:
    os.kill(os.getpid(), signal.SIGXCPU)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGXCPU)
"""
    )

    assert said == "True\n"
