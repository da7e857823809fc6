import pytest
from tests.runtime.jail.conftest import alone

from ei.runtime.jail import LAYERS, OPEN, Jail


def test_a_jail_says_in_a_word_how_it_stands() -> None:
    assert str(OPEN) == "open"
    assert str(Jail(LAYERS)) == "closed"
    assert str(Jail(LAYERS[:-1], {"seccomp": "no such call"})) == "without seccomp"


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
