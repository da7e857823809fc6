"""Each check of a field says what was seen, with a word to count it by."""

from collections.abc import Callable

import pytest

from ei.records.fields import (
    Refused,
    check_allowed,
    check_count,
    check_endpoint,
    check_key,
    check_location,
    check_relations,
)
from ei.records.kinds import DomainRecord


@pytest.mark.parametrize(
    "check",
    [
        lambda: check_allowed("members", (2, 1)),
        lambda: check_count("names", 0, 16),
        lambda: check_endpoint("host:1"),
        lambda: check_key("pipe", b"short"),
        lambda: check_location((91, 0)),
        lambda: check_relations(DomainRecord("isp-a", 1, 9, providers=(1,))),
    ],
    ids=["allowed", "count", "endpoint", "key", "location", "relations"],
)
def test_what_is_out_of_bounds_is_counted_as_a_bad_field(check: Callable[[], None]) -> None:
    with pytest.raises(Refused) as refused:
        check()

    assert refused.value.word == "bad_field"
