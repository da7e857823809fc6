import msgspec
import pytest

from ei.runtime.stores import MemoryStore
from ei.runtime.undo import UndoLog
from ei.sdk import Corner, Table, Tables


class Seat(msgspec.Struct, frozen=True):
    """What a table keeps here."""

    row: int
    owner: str


def store() -> MemoryStore:
    made = MemoryStore(limit_bytes=10_000)
    made.begin(0.0, UndoLog())
    return made


def test_a_table_gives_back_what_was_put() -> None:
    seats = Table(store(), "seats", of=Seat)
    seats.put(b"a", Seat(1, "alice"))

    assert seats.get(b"a") == Seat(1, "alice")
    assert seats.get(b"b") is None


def test_tables_of_one_store_do_not_mix() -> None:
    kept = store()
    Table(kept, "numbers", of=int).put(b"a", 1)
    Table(kept, "words", of=str).put(b"a", "one")

    assert list(Table(kept, "numbers", of=int).scan()) == [(b"a", 1)]
    assert list(kept.scan(b"")) == [(b"numbers/a", b"\x01"), (b"words/a", b"\xa3one")]


def test_a_scan_yields_keys_of_a_prefix_in_order() -> None:
    numbers = Table(store(), "numbers", of=int)
    for key in (b"b2", b"a", b"b1"):
        numbers.put(key, 1)

    assert [key for key, _ in numbers.scan(b"b")] == [b"b1", b"b2"]


def test_what_is_deleted_is_gone() -> None:
    numbers = Table(store(), "numbers", of=int)
    numbers.put(b"a", 1)
    numbers.delete(b"a")

    assert numbers.get(b"a") is None


def test_what_has_a_time_to_live_expires() -> None:
    kept = store()
    numbers = Table(kept, "numbers", of=int)
    numbers.put(b"a", 1, ttl_s=2.0)
    kept.begin(2.0, UndoLog())

    assert numbers.get(b"a") is None


@pytest.mark.parametrize(("expected", "is_put"), [(None, False), (1, True), (2, False)])
def test_compare_and_put_puts_only_over_what_is_expected(
    expected: int | None, *, is_put: bool
) -> None:
    numbers = Table(store(), "numbers", of=int)
    numbers.put(b"a", 1)

    assert numbers.compare_and_put(b"a", 5, expected=expected) is is_put

    assert numbers.get(b"a") == (5 if is_put else 1)


def test_compare_and_put_can_ask_for_nothing() -> None:
    numbers = Table(store(), "numbers", of=int)

    assert numbers.compare_and_put(b"a", 5, expected=None)


class Seats(Tables):
    """Tables that are declared, and there once for each prefix."""

    __slots__ = ()

    rows = Corner("rows", int)
    owners = Corner("owners", Seat)


def test_tables_that_belong_together_are_declared_once() -> None:
    kept = store()
    seats, others = Seats(kept), Seats(kept, prefix="other ")

    seats.owners.put(b"a", Seat(1, "alice"))
    seats.rows.put(b"a", 2)
    others.rows.put(b"a", 3)

    assert seats.owners.get(b"a") == Seat(1, "alice")
    assert (seats.rows.get(b"a"), others.rows.get(b"a")) == (2, 3)
    assert [key for key, _ in kept.scan(b"")] == [b"other rows/a", b"owners/a", b"rows/a"]
