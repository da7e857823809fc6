"""Which subjects meet which filters; the walk over many filters agrees with looking at each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.runtime.stores import MemoryStore
from ei.services.pubsub.subjects import Wishes, does_match, is_filter, is_subject

LEVELS = st.sampled_from(["", "a", "b", "$s"])
SUBJECTS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = st.builds(
    lambda levels, end: "/".join(levels) + end,
    st.lists(LEVELS | st.just("+"), min_size=1, max_size=4),
    st.sampled_from(["", "/#"]),
).filter(bool) | st.just("#")


@pytest.mark.parametrize(
    ("wanted", "subject"),
    [("a", "a"), ("a/+", "a/b"), ("a/#", "a"), ("a/#", "a/b/c"), ("+/b", "a/b"), ("#", "a/b"),
     ("/+", "/a"), ("+", "a"), ("a/+", "a/"), ("$s/#", "$s/a")],
)  # fmt: skip
def test_subjects_that_meet_a_filter(wanted: str, subject: str) -> None:
    assert is_filter(wanted)
    assert is_subject(subject)
    assert does_match(wanted, subject)


@pytest.mark.parametrize(
    ("wanted", "subject"),
    [("a", "b"), ("a/+", "a"), ("a/+", "a/b/c"), ("+", "/a"), ("a/#", "b"), ("#", "$s/a"),
     ("+/a", "$s/a")],
)  # fmt: skip
def test_subjects_that_do_not(wanted: str, subject: str) -> None:
    assert not does_match(wanted, subject)


@pytest.mark.parametrize(
    "text", ["", "a#", "#/a", "a+/b", "+a", "a\0", "x" * 201, "a/" * 32, "\ud800"]
)
def test_what_is_no_filter(text: str) -> None:
    assert not is_filter(text)


@pytest.mark.parametrize("text", ["", "a/+", "#", "\0", "é" * 101])
def test_what_is_no_subject(text: str) -> None:
    assert not is_subject(text)


@given(wishes=st.lists(st.tuples(FILTERS, st.sampled_from([b"x", b"yy"]))), subject=SUBJECTS)
def test_the_walk_finds_who_each_filter_would(
    wishes: list[tuple[str, bytes]], subject: str
) -> None:
    index = Wishes(MemoryStore(limit_bytes=100_000), prefix="w ")
    for wanted, who in wishes:
        _ = index.add(wanted, who)

    assert set(index.meeting(subject)) == {
        who for wanted, who in wishes if does_match(wanted, subject)
    }


@given(wishes=st.lists(st.tuples(FILTERS, st.sampled_from([b"x", b"yy"])), max_size=8))
def test_nothing_is_left_of_wishes_that_are_gone(wishes: list[tuple[str, bytes]]) -> None:
    store = MemoryStore(limit_bytes=100_000)
    index = Wishes(store, prefix="w ")
    for wanted, who in wishes:
        _ = index.add(wanted, who)
    for who in (b"x", b"yy"):
        for wanted in list(index.of(who)):
            assert index.remove(wanted, who)

    assert store.statistics().entries == 0
