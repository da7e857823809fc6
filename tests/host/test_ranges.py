"""Numbers without a place on the wire are refused, and the text says which have one."""

from collections.abc import Callable

import pytest

from ei.errors import LocalError
from ei.host.ranges import check_connection, check_port, check_service, check_traffic_class

CHECKS = [
    (check_port, 0, 65_535),
    (check_service, 2, 4_294_967_295),
    (check_connection, 0, 18_446_744_073_709_551_615),
    (check_traffic_class, 0, 65_535),
]


@pytest.mark.parametrize(("check", "least", "most"), CHECKS)
def test_a_number_is_refused_from_one_past_either_end(
    check: Callable[[int], None], least: int, most: int
) -> None:
    check(least)
    check(most)

    for outside in (least - 1, most + 1, 2**80):
        with pytest.raises(LocalError, match=f"{outside} is not {least} to {most}"):
            check(outside)
