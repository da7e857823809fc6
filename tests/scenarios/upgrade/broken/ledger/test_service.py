"""The version that does not start says so in a way that is found again."""

import pytest

from ei.errors import ServiceError
from ei.lab.catalogue import SCENARIOS
from ei.runtime.loader import load_service


def test_it_does_not_start() -> None:
    with pytest.raises(ServiceError, match="never tried"):
        _ = load_service(SCENARIOS / "upgrade" / "broken" / "ledger")
