"""Deadlines come in their order, and a new one takes the place of the old."""

from math import inf

from ei.directory.deadlines import Deadlines


def test_what_is_due_comes_in_order_and_once() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for key, at_s in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        deadlines.set(key, at_s)

    due = [deadlines.take_due(2.5) for _ in range(3)]

    assert due == ["a", "b", None]
    assert deadlines.next_s == 3.0


def test_a_new_deadline_takes_the_place_of_the_old() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 1.0)
    deadlines.set("a", 5.0)
    deadlines.set("b", 2.0)
    deadlines.clear("b")

    assert deadlines.take_due(4.0) is None
    assert deadlines.next_s == 5.0


def test_what_was_replaced_takes_no_memory_for_ever() -> None:
    deadlines: Deadlines[str] = Deadlines()

    for at_s in range(10_000):
        deadlines.set("a", float(at_s))

    assert len(deadlines) == 1
    assert repr(deadlines) == "<Deadlines 1, next at 9999.000 s>"
    assert deadlines.take_due(inf) == "a"
    assert deadlines.next_s == inf
