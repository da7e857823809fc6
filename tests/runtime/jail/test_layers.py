from pathlib import Path

import pytest
from tests.runtime.jail.conftest import alone, need

from ei.errors import DeniedError
from ei.runtime.jail import LAYERS, OF_OURS, OPEN, Jail, check_closed
from ei.runtime.jail.filtering import CPU_TIME, FINE, FOLDER, TIME, WORKER, clocks
from ei.runtime.jail.layers import rules_for


def test_a_jail_says_in_a_word_how_it_stands() -> None:
    assert str(OPEN) == "open"
    assert str(Jail(LAYERS)) == "closed"
    assert str(Jail(LAYERS[:-1], {"seccomp": "no such call"})) == "without seccomp"


def test_a_stranger_needs_all_layers() -> None:
    check_closed(Jail(LAYERS), "hello", trusting="say so")

    with pytest.raises(DeniedError, match=r"hello: .* without seccomp: no such call") as caught:
        check_closed(
            Jail(LAYERS[:-1], {"seccomp": "no such call"}), "hello", trusting="say so: like this"
        )
    assert caught.value.remedy.endswith("if you have read it, say so: like this")


def test_who_keeps_fine_clocks_may_call_for_them() -> None:
    assert rules_for(None, LAYERS) == WORKER
    assert rules_for(Path("/x"), LAYERS) == {**WORKER, **FOLDER}
    assert rules_for(None, OF_OURS) == {**WORKER, **TIME}


def test_who_is_measured_may_ask_for_its_own_time_besides() -> None:
    coarse = rules_for(None, LAYERS, measures=True)
    assert coarse == {**WORKER, **clocks((CPU_TIME,))}
    assert rules_for(None, OF_OURS, measures=True) == {
        **WORKER,
        **TIME,
        **clocks(FINE, (CPU_TIME,)),
    }


@pytest.mark.slow
def test_time_goes_on_where_the_kernel_gives_it_by_a_call_alone() -> None:
    # As with another clock source: the time is asked for past the C library's shortcut.
    need(*OF_OURS)

    said = alone(
        """
import ctypes, struct
from ei.runtime.jail import OF_OURS, close_jail
from ei.runtime.jail.system import call
made = ctypes.create_string_buffer(16)
jail = close_jail(OF_OURS)
for clock in (0, 1, 7):
    call("clock_gettime", clock, made)
print(str(jail) == "closed" and struct.unpack("=qq", made.raw)[0] > 0)
"""
    )

    assert said == "True\n"


@pytest.mark.slow
def test_only_what_is_wanted_closes() -> None:
    said = alone(
        """
from ei.runtime.jail import close_jail
print(close_jail(("capabilities",)).layers, open("/etc/passwd").readline()[:4])
"""
    )

    assert said == "('capabilities',) root\n"


@pytest.mark.slow
def test_what_cannot_close_is_named_with_the_reason_and_the_rest_closes() -> None:
    need("landlock", "namespaces")

    said = alone(
        """
import os, threading
from ei.runtime.jail import close_jail
# A process of two threads cannot leave the namespace of its users.
threading.Thread(target=threading.Event().wait, daemon=True).start()
jail = close_jail(("landlock", "namespaces"))
print(jail.layers, jail.missing, flush=True)
os._exit(0)
"""
    )

    assert said == "('landlock',) {'namespaces': 'unshare: Invalid argument'}\n"
