"""A drained node ends, and who had no other is named."""

import re
import time

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

BACK_S = 20.0


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_f1_a_host_with_no_other_node_is_named_and_the_node_ends_in_time(lab: Run) -> None:
    said = lab("node", "drain", "sn1.isp-a", "--grace", "300ms")

    assert said.code == Exit.NEGATIVE, said.err
    assert re.match(r"sn1\.isp-a drained in 3\d\d ms: 1 peers moved\n", said.out)
    assert "alice.isp-a had not moved in time" in said.out

    assert lab("lab", "start", "sn1.isp-a").code == Exit.OK
    deadline_s = time.monotonic() + BACK_S
    while "1 of 1 nodes up" not in lab("host", "status", "alice").out:
        assert time.monotonic() < deadline_s


@pytest.mark.parametrize("grace", ["soon", "0", "-1s"])
def test_a_grace_that_is_no_time_is_said(ei: Run, grace: str) -> None:
    said = ei("node", "drain", "--grace", grace)

    assert said.code == Exit.ERROR
    assert "--grace" in said.err
