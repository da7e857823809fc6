"""What the file of the demo promises."""

import pytest

from ei.lab.demo import Outcome
from ei.lab.demo_file import find_file


def test_a_file_of_some_megabytes_is_always_there() -> None:
    assert find_file().stat().st_size > 1_000_000


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_file_crosses_unchanged(demo: Outcome) -> None:
    (promise,) = [each for each in demo.report.promises if each.unit == "SHA-256"]

    assert promise.measured == promise.limit.value
    assert str(promise.measured) in demo.path.read_text()
