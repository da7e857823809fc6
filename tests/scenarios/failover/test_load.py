"""What the load of the scenario counts."""

from ei.host.verdicts import Receipt
from ei.scenarios.failover.load import Seen, gap_ms


def test_the_gap_is_the_longest_time_between_two_arrivals() -> None:
    assert gap_ms([1.0, 1.005, 1.25, 1.26]) == 245.0
    assert gap_ms([1.0]) == 0.0


def test_a_message_is_lost_only_if_a_receipt_says_that_it_was_delivered() -> None:
    seen = Seen(numbers={0}, receipts=[Receipt("delivered"), Receipt("unknown")])
    assert (seen.delivered, seen.lost) == (1, 0)

    seen.receipts.append(Receipt("delivered"))

    assert (seen.delivered, seen.lost) == (2, 1)


def test_a_fault_that_missed_the_stream_is_no_measurement() -> None:
    seen = Seen(fault_s=2.0, flow_s=[1.0, 3.0], stream_s=[1.0, 3.0])
    assert seen.is_loaded

    seen.stream_s = [1.0, 1.9]

    assert not seen.is_loaded
    assert not Seen().is_loaded
