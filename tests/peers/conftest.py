"""Foreign programs that we compare ourselves with. A missing one is a failure, no silent skip.

Go, which `.ci/ground` cannot install, is asked for beside its test.
"""

import shutil
from pathlib import Path

import pytest
from tests.node.conftest import node_file, start_node

__all__ = ["node_file", "start_node"]

BORROWED = Path(__file__).parents[2] / "build" / "tools"
"""Where `.ci/ground` keeps programs whose packages would start servers."""


@pytest.fixture(scope="session")
def tshark() -> str:
    """Where tshark is."""
    path = shutil.which("tshark")
    if path is None:
        pytest.fail("tshark is missing. Install it: sudo apt-get install tshark")
    return path


@pytest.fixture(scope="session")
def promtool() -> str:
    """Where Prometheus's own checker is."""
    path = shutil.which("promtool") or shutil.which(BORROWED / "promtool")
    if path is None:
        pytest.fail("promtool is missing. Get it: .ci/ground test")
    return path


@pytest.fixture(scope="session")
def dig_and_named() -> str:
    """Where BIND's server is; dig is on the path."""
    path = shutil.which("named") or shutil.which(BORROWED / "named")
    if path is None or shutil.which("dig") is None:
        pytest.fail("named or dig is missing. Get them: .ci/ground test")
    return path


@pytest.fixture(scope="session")
def mosquitto() -> None:
    """The clients of Debian's mosquitto are on the path."""
    for program in ("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is missing. Get it: .ci/ground test")
