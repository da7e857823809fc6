"""What waits for a subscriber, and how far it has come."""

import pytest

from ei.services.pubsub.backlog import Backlog, Policy, Reach


@pytest.mark.parametrize(
    ("policy", "left", "is_over"),
    [
        ("drop_oldest", [2, 3], False),
        ("drop_newest", [0, 1], False),
        ("disconnect", [0, 1], True),
    ],
)
def test_more_live_messages_than_may_wait(
    policy: Policy, left: list[int], *, is_over: bool
) -> None:
    backlog = Backlog[int](limit=2, policy=policy)

    for number in range(4):
        backlog.add(number, is_live=True)

    assert [backlog.take() for _ in range(3)] == [*left, None]
    assert (backlog.lost, backlog.is_over) == (2, is_over)


def test_what_is_of_a_log_is_not_dropped_here() -> None:
    backlog = Backlog[int](limit=1, policy="drop_oldest")

    backlog.add(0, is_live=False)
    for number in (1, 2):
        backlog.add(number, is_live=True)

    assert [backlog.take() for _ in range(2)] == [0, 2]


def test_how_far_a_subscriber_has_come_ends_before_the_first_that_it_did_not_acknowledge() -> None:
    reach = Reach(is_open=True)
    reach.begin(10)
    for position in (10, 12, 15):
        assert reach.tell(position)

    reach.acknowledge(12)
    between = reach.done
    reach.acknowledge(10)

    assert (between, reach.done) == (9, 14)
    assert not reach.tell(12)
    reach.acknowledge(15)
    assert reach.done == 15


def test_nothing_is_open_of_who_acknowledges_nothing() -> None:
    reach = Reach(is_open=False)

    for position in range(3):
        assert reach.tell(position)

    assert reach.done == 2


def test_a_log_that_begins_before_what_was_told_is_a_new_one() -> None:
    reach = Reach(is_open=True)
    reach.begin(10)
    assert reach.tell(10)

    reach.begin(0)

    assert reach.tell(0)
    assert reach.done == -1
