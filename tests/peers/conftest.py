"""Foreign programs that we compare ourselves with. A missing one is a failure, no silent skip."""

import shutil

import pytest


@pytest.fixture(scope="session")
def tshark() -> str:
    """Where tshark is."""
    path = shutil.which("tshark")
    if path is None:
        pytest.fail("tshark is missing. Install it: sudo apt-get install tshark")
    return path
