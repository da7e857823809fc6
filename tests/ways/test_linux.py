"""Calls of the system; what needs a process of its own is tested with `enclosing`."""

import pytest

from ei.ways import linux


def test_what_the_system_refuses_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        linux.unshare(-1)
