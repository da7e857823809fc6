import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import ServiceError
from ei.runtime import timers as module
from ei.runtime.timers import Timers
from ei.runtime.undo import UndoLog


def due_keys(timers: Timers, now_s: float) -> list[bytes]:
    keys: list[bytes] = []
    while (key := timers.take_due(now_s)) is not None:
        keys.append(key)
    return keys


def test_timers_come_due_in_the_order_of_their_deadlines() -> None:
    timers = Timers(UndoLog())
    timers.set(b"late", 3.0)
    timers.set(b"soon", 1.0)
    timers.set(b"same, armed later", 1.0)
    timers.set(b"never now", 9.0)

    assert timers.next_deadline_s() == 1.0
    assert due_keys(timers, 3.0) == [b"soon", b"same, armed later", b"late"]
    assert timers.next_deadline_s() == 9.0


def test_a_timer_is_due_once() -> None:
    timers = Timers(UndoLog())
    timers.set(b"a", 1.0)

    assert due_keys(timers, 2.0) == [b"a"]
    assert due_keys(timers, 3.0) == []
    assert timers.next_deadline_s() is None


def test_arming_again_replaces_the_deadline() -> None:
    timers = Timers(UndoLog())
    timers.set(b"a", 1.0)
    timers.set(b"a", 5.0)

    assert due_keys(timers, 4.0) == []
    assert due_keys(timers, 5.0) == [b"a"]


def test_a_cancelled_timer_is_never_due() -> None:
    timers = Timers(UndoLog())
    timers.set(b"a", 1.0)
    timers.cancel(b"a")
    timers.cancel(b"was never armed")

    assert due_keys(timers, 9.0) == []


def test_what_an_event_did_to_timers_can_be_taken_back() -> None:
    undo = UndoLog()
    timers = Timers(undo)
    timers.set(b"kept", 1.0)
    timers.set(b"taken", 1.0)
    mark = len(undo.steps)
    timers.set(b"new", 1.0)
    timers.set(b"kept", 9.0)
    timers.cancel(b"taken")

    undo.undo_to(mark)

    assert due_keys(timers, 1.0) == [b"kept", b"taken"]


@pytest.mark.slow
def test_c10_the_number_of_timers_is_bounded() -> None:
    timers = Timers(UndoLog())
    for number in range(module.MAX_TIMERS):
        timers.set(number.to_bytes(4, "big"), 1.0)

    timers.set(bytes(4), 2.0)  # one that is armed may always be armed again
    with pytest.raises(ServiceError, match=r"65537 timers: at most 65536 allowed"):
        timers.set(b"one more", 1.0)


def test_arming_one_timer_again_and_again_takes_no_more_room() -> None:
    timers = Timers(UndoLog())
    for _ in range(10_000):
        timers.set(b"a", 1.0)

    assert timers.waste() < 100
    assert due_keys(timers, 1.0) == [b"a"]


def test_it_says_what_is_armed() -> None:
    timers = Timers(UndoLog())
    timers.set(b"a", 1.0)

    assert repr(timers) == "<Timers 1 armed, next at 1.0>"


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.none() | st.integers(0, 5)), max_size=30
    )
)
def test_timers_agree_with_a_plain_dict(steps: list[tuple[bytes, int | None]]) -> None:
    timers = Timers(UndoLog())
    armed: dict[bytes, int] = {}
    for key, deadline_s in steps:
        if deadline_s is None:
            timers.cancel(key)
            _ = armed.pop(key, None)
        else:
            timers.set(key, deadline_s)
            _ = armed.pop(key, None)
            armed[key] = deadline_s

    assert due_keys(timers, 5) == sorted(armed, key=lambda key: armed[key])
