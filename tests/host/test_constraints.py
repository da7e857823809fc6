"""A host names the domains that its packets must not pass, or must."""

import pytest

from ei.errors import ConfigError
from ei.host.constraints import Constraints, constraints_of
from ei.records.kinds import DomainRecord
from ei.sdk.packets import Address
from ei.sdk.ways import Way, read_way

TO = Address(b"t" * 16)
DOMAINS = {name: DomainRecord(name, number, 9) for number, name in enumerate(("a", "b", "c"), 1)}


def test_who_asks_nothing_says_nothing() -> None:
    assert Constraints().metadata(TO) == TO


def test_names_become_numbers_and_travel_with_each_packet() -> None:
    asked = constraints_of(DOMAINS, avoid=["c", "c"], require=["a"])

    assert read_way(asked.metadata(TO)) == Way(TO, None, avoid=(3,), require=(1,))
    assert repr(asked) == "<Constraints avoid [3], require [1]>"


@pytest.mark.parametrize(
    ("avoid", "require", "said"),
    [
        (["x"], [], "no domain is called 'x'; 3 are known"),
        (["a"], ["a"], "a: avoided and required at once"),
        ([f"d{number}" for number in range(9)], [], "9 domains .* allowed are 8"),
    ],
)
def test_what_cannot_be_asked_is_refused(avoid: list[str], require: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _ = constraints_of(DOMAINS, avoid=avoid, require=require)


def test_a_near_miss_is_answered_with_a_suggestion() -> None:
    domains = {"isp-a": DomainRecord("isp-a", 1, 9)}

    with pytest.raises(ConfigError, match=r"did you mean isp-a\?"):
        _ = constraints_of(domains, avoid=["isp-aa"], require=[])
