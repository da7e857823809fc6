"""Guards are named as people do, and signed as numbers."""

import pytest

from ei.errors import ConfigError
from ei.host.guards import guard_numbers


def test_services_of_this_program_have_names_and_all_have_numbers() -> None:
    assert guard_numbers(["compression", 4_026_531_850]) == (37, 4_026_531_850)
    assert guard_numbers(None) is None
    assert guard_numbers([]) == ()


def test_a_name_that_is_not_known_is_refused_by_those_that_are() -> None:
    with pytest.raises(ConfigError, match="no service is called 'shields'; there are: caching"):
        _ = guard_numbers(["shields"])
