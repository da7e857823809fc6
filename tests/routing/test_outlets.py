"""What a peer is told: in batches, announcements at most once a second, withdrawals at once."""

from ei.routing.outlets import BATCH_S, INTERVAL_S, PACE_BYTES, Outlet


class Told:
    """Writes into a list; `now` is what there is to say."""

    def __init__(self, size_bytes: int = 1) -> None:
        self.now: dict[str, bytes] = {}
        self.said: list[str] = []
        self._size_bytes = size_bytes

    def digest(self, key: str, /) -> bytes | None:
        return self.now.get(key)

    def announce(self, key: str, /) -> int:
        self.said.append(f"+{key}")
        return self._size_bytes

    def withdraw(self, key: str, /) -> int:
        self.said.append(f"-{key}")
        return self._size_bytes


def started(told: Told) -> Outlet[str]:
    outlet = Outlet[str]()
    outlet.start(told.now, at_s=0.0)
    outlet.flush(told, now_s=0.0)
    return outlet


def test_who_has_not_asked_is_told_nothing() -> None:
    outlet = Outlet[str]()

    outlet.note("a", now_s=0.0)

    assert outlet.due_s is None
    assert outlet.pending == {}


def test_all_is_told_from_the_beginning() -> None:
    told = Told()
    told.now = {"a": b"1", "b": b"1"}

    outlet = started(told)

    assert told.said == ["+a", "+b"]
    assert outlet.due_s is None


def test_changes_within_a_moment_go_together() -> None:
    told = Told()
    outlet = started(told)
    told.now = {"a": b"1", "b": b"1"}

    outlet.note("a", now_s=1.0)
    outlet.note("b", now_s=1.0 + BATCH_S / 2)

    assert outlet.due_s == 1.0 + BATCH_S
    outlet.flush(told, now_s=1.0 + BATCH_S)
    assert told.said == ["+a", "+b"]


def test_d10_an_announcement_waits_and_a_withdrawal_does_not() -> None:
    told = Told()
    told.now = {"a": b"1", "b": b"1"}
    outlet = started(told)
    told.now = {"a": b"2"}

    outlet.note("a", now_s=0.1)
    outlet.note("b", now_s=0.1)
    outlet.flush(told, now_s=0.2)

    assert told.said == ["+a", "+b", "-b"]
    assert outlet.due_s == INTERVAL_S
    outlet.flush(told, now_s=INTERVAL_S)
    assert told.said == ["+a", "+b", "-b", "+a"]


def test_d10_what_wavers_ten_times_a_second_is_announced_once_a_second() -> None:
    told = Told()
    outlet = started(told)

    for number in range(100):
        now_s = 10.0 + number / 10
        told.now = {"a": b"1"} if number % 2 else {}
        outlet.note("a", now_s=now_s)
        outlet.flush(told, now_s=now_s)

    assert 5 <= told.said.count("+a") <= 10


def test_what_is_as_it_was_told_is_not_told_again() -> None:
    told = Told()
    told.now = {"a": b"1"}
    outlet = started(told)

    outlet.note("a", now_s=5.0)
    outlet.note("never there", now_s=5.0)
    outlet.flush(told, now_s=6.0)

    assert told.said == ["+a"]


def test_a_long_table_is_told_in_portions() -> None:
    told = Told(size_bytes=PACE_BYTES)
    told.now = {"a": b"1", "b": b"1"}
    outlet = started(told)

    assert told.said == ["+a"]
    assert outlet.due_s == BATCH_S
    outlet.flush(told, now_s=BATCH_S)
    assert told.said == ["+a", "+b"]


def test_a_long_table_goes_at_the_pace_of_the_pipe() -> None:
    told = Told(size_bytes=PACE_BYTES)
    told.now = {"a": b"1", "b": b"1"}
    outlet = Outlet[str]()
    outlet.start(told.now, at_s=0.0)

    outlet.flush(told, now_s=0.0, round_trip_s=0.3)

    assert outlet.due_s == 4 * 0.3


def test_what_did_not_leave_is_told_again_from_the_beginning() -> None:
    told = Told()
    told.now = {"a": b"1", "b": b"1"}
    outlet = started(told)

    outlet.again(at_s=5.0)

    assert outlet.due_s == 5.0
    outlet.flush(told, now_s=5.0)
    assert told.said == ["+a", "+b", "+a", "+b"]
    Outlet[str]().again(at_s=5.0)


def test_what_was_withdrawn_long_ago_is_forgotten() -> None:
    told = Told()
    told.now = {"a": b"1"}
    outlet = started(told)
    told.now = {}
    outlet.note("a", now_s=0.1)
    outlet.flush(told, now_s=0.2)

    outlet.forget(now_s=0.5)
    assert outlet.sent == {"a": (None, 0.0)}
    outlet.forget(now_s=INTERVAL_S)

    assert outlet.sent == {}
