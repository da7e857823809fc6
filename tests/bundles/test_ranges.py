"""Which versions are in a range."""

import pytest

from ei.bundles.ranges import is_in_range
from ei.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("", ["0.0.1", "9.9.9"], []),
        (">=0.1, <0.2", ["0.1.0", "0.1.9"], ["0.0.9", "0.2.0"]),
        ("==1.2.3", ["1.2.3", "1.2.3-rc1"], ["1.2.4"]),
        (">1", ["1.0.1"], ["1.0.0"]),
        ("<=1.10", ["1.9.0", "1.10.0"], ["1.10.1"]),
    ],
)
def test_all_that_is_said_has_to_hold(text: str, inside: list[str], outside: list[str]) -> None:
    assert [version for version in inside + outside if is_in_range(version, text)] == inside


@pytest.mark.parametrize("text", ["1.2", "~=1", ">=x", ">= 1.2.3.4", ">=1;<2", ">=" + "1" * 10])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is no range of versions; allowed are >=, <="):
        _ = is_in_range("1.0.0", text)
