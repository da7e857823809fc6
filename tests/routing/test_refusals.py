"""Refusals are counted for ever, and the latest are kept with their words."""

from tests.routing.world import node

from ei.routing.announcements import Announcement, Hop
from ei.routing.refusals import MAX_REFUSALS, Refusals

SAID = Announcement(
    origin=7, sequence=1, expires_unix_s=1, hops=(Hop(8, bytes(32), bytes(64)),) * 2
)


def test_refusals_are_counted_by_reason_and_found_by_origin() -> None:
    refusals = Refusals()

    refusals.note(node(1), "malformed", "junk", unix_s=1.0)
    refusals.note(node(1), "route_leak", "d1 gave it to d2", SAID, unix_s=2.0)
    refusals.note(node(2), "loop", "d7 d8 d7", SAID, unix_s=3.0)

    assert refusals.counts == {"loop": 1, "malformed": 1, "route_leak": 1}
    assert [(each.reason, each.path) for each in refusals.of(7)] == [
        ("loop", (8, 7)),
        ("route_leak", (8, 7)),
    ]
    assert refusals.of(1) == []
    assert repr(refusals) == "<Refusals {'malformed': 1, 'route_leak': 1, 'loop': 1}>"


def test_no_more_of_them_are_kept_than_allowed() -> None:
    refusals = Refusals()

    for number in range(2 * MAX_REFUSALS):
        refusals.note(node(1), "loop", str(number), SAID, unix_s=0.0)

    assert refusals.counts == {"loop": 2 * MAX_REFUSALS}
    assert len(refusals.of(7)) == MAX_REFUSALS
