"""A sender has its own bucket, and there are so many of them."""

from ei.directory.rates import MAX_SENDERS, Rates


def test_a_sender_is_held_to_its_rate_and_others_are_not() -> None:
    rates = Rates(rate_per_s=10, burst=3)

    at_once = [rates.is_allowed("a", 1.0) for _ in range(5)]

    assert at_once == [True, True, True, False, False]
    assert rates.is_allowed("b", 1.0)
    assert rates.is_allowed("a", 1.11)
    assert not rates.is_allowed("a", 1.12)


def test_senders_are_bounded() -> None:
    rates = Rates(rate_per_s=1, burst=1)

    for sender in range(MAX_SENDERS + 10):
        assert rates.is_allowed(sender, 1.0)

    assert len(rates) == MAX_SENDERS
