from itertools import pairwise

from msgspec.structs import fields

from ei.sdk.tiers import TIERS, Tier, least_tier


def test_each_tier_has_at_least_what_the_one_before_it_has() -> None:
    for smaller, larger in pairwise(TIERS.values()):
        for field in fields(Tier):
            assert getattr(smaller, field.name) <= getattr(larger, field.name)


def test_the_least_tier_that_has_enough_is_found() -> None:
    assert least_tier("handler_ms", 10) == "nano"
    assert least_tier("handler_ms", 11) == "standard"
    assert least_tier("stable_bytes", 1_200_000_000) == "heavy"
    assert least_tier("handler_ms", 10**9) == "heavy"
