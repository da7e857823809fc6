"""Of the rounds with a broker beside ours the one in the middle counts."""

from ei.lab.brokers.beside import NOT_SUSTAINED, Cost
from ei.scenarios.pubsub.rivals import median_of


def test_the_round_in_the_middle_counts_and_what_was_not_sustained_is_the_lowest() -> None:
    low, middle, high = (
        (Cost(700.0, 80_000.0), Cost(theirs, 80_000.0)) for theirs in (900.0, 1_500.0, 2_000.0)
    )
    none = (Cost(700.0, 80_000.0), NOT_SUSTAINED)

    assert median_of([high, low, middle]) == middle
    assert median_of([high, none, middle]) == middle
    assert median_of([none, none, high]) == none
