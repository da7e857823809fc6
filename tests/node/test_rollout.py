"""Which release a node runs, of those that governance has approved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.node.rollout import Wanted, choose, place_of, takes, version_key
from ei.registry.releases import Release
from ei.sdk import Address

NODE = Address(b"\xfd\x35\0\0\0\1" + b"n" * 10)


def release(version: str, share: float = 1.0, revoked: str = "") -> Release:
    return Release(
        name="hello",
        version=version,
        number=200,
        digest=f"sha256:{version.replace('.', ''):0>64}",
        size_bytes=1,
        share=share,
        revoked=revoked,
    )


def test_the_newest_release_runs_that_the_node_is_in_the_share_of() -> None:
    old, new, canary = release("1.9.0"), release("1.10.0"), release("2.0.0", share=0.0)

    wanted = choose([old, canary, new], node=NODE, running="", given_up=())

    assert wanted == Wanted(new)
    assert choose([old, canary, new], node=NODE, running=new.digest, given_up=()) == Wanted()


def test_a_share_that_is_taken_back_takes_the_release_with_it() -> None:
    old, stopped = release("1.0.0"), release("1.1.0", share=0.0)

    assert choose([old, stopped], node=NODE, running=stopped.digest, given_up=()) == Wanted(old)


def test_what_is_revoked_or_given_up_makes_room_for_the_newest_that_is_not() -> None:
    first, second, third = release("1.0.0"), release("1.1.0"), release("1.2.0", revoked="it leaks")

    revoked = choose([first, second, third], node=NODE, running=third.digest, given_up=())
    both = choose([first, second, third], node=NODE, running="", given_up={second.digest})

    assert (revoked, both) == (Wanted(second), Wanted(first))


def test_a_revoked_release_without_another_is_stopped_with_its_reason() -> None:
    only = release("1.0.0", revoked="it leaks")

    wanted = choose([only], node=NODE, running=only.digest, given_up=())

    assert wanted == Wanted(stop="hello@1.0.0 is revoked: it leaks")
    assert choose([only], node=NODE, running="", given_up=()) == Wanted()


def test_what_runs_goes_on_while_it_is_in_doubt_unless_it_is_revoked() -> None:
    old, new = release("1.0.0"), release("1.1.0", revoked="it leaks")

    in_doubt = choose([old], node=NODE, running=new.digest, is_doubtful=True, given_up=())
    revoked = choose([old, new], node=NODE, running=new.digest, is_doubtful=True, given_up=())
    nothing = choose([old], node=NODE, running="", is_doubtful=True, given_up=())

    assert (in_doubt, revoked, nothing) == (Wanted(), Wanted(old), Wanted(old))


def test_what_node_toml_names_goes_on_and_what_is_approved_no_more_does_not() -> None:
    own = choose([], node=NODE, running="sha256:other", is_from_file=True, given_up=())
    taken = choose([], node=NODE, running="sha256:other", given_up=())

    assert own == Wanted()
    assert taken == Wanted(stop="sha256:other is not approved any more")


@given(st.binary(min_size=10, max_size=10), st.integers(0, 100))
def test_a_share_that_grows_keeps_whom_it_has(tail: bytes, percent: int) -> None:
    node = Address(NODE[:6] + tail)
    small, large = release("1.0.0", percent / 200), release("1.0.0", percent / 100)

    assert takes(node, large) or not takes(node, small)
    assert takes(node, release("1.0.0", 1.0))
    assert not takes(node, release("1.0.0", 0.0))


def test_shares_are_kept_to_and_each_release_has_other_nodes_first() -> None:
    nodes = [Address(NODE[:6] + number.to_bytes(10)) for number in range(1_000)]
    one, other = release("1.0.0"), release("1.1.0")

    first = {node for node in nodes if place_of(node, one.digest) < 0.05}
    second = {node for node in nodes if place_of(node, other.digest) < 0.05}

    assert 30 < len(first) < 70
    assert len(first & second) < 15


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0.0-alpha", "1.0.0-alpha.1"),
        ("1.0.0-alpha.1", "1.0.0-alpha.beta"),
        ("1.0.0-beta.2", "1.0.0-beta.11"),
        ("1.0.0-rc.1", "1.0.0"),
        ("1.9.0", "1.10.0"),
    ],
)
def test_versions_are_in_the_order_of_semver(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


def test_what_follows_a_plus_is_no_other_version() -> None:
    assert version_key("1.0.0+a") == version_key("1.0.0+b")
