"""What happens next in a simulation, as Python gets it."""

import gc
import weakref

from ei._core import Agenda


def nothing(_now_ns: int) -> None:
    """Be put in."""


def test_items_come_by_time_then_rank_then_as_they_were_put_in() -> None:
    agenda = Agenda()
    items = [lambda now_ns, name=name: (name, now_ns) for name in "abcd"]
    for when_ns, rank, place in ((2, 0, 3), (1, 7, 1), (1, 7, 2), (1, 0, 0)):
        agenda.push(when_ns, rank, items[place])

    order = [agenda.pop(3) for _ in range(4)]

    assert order == [(1, 0, items[0]), (1, 7, items[1]), (1, 7, items[2]), (2, 0, items[3])]


def test_nothing_comes_before_its_time() -> None:
    agenda = Agenda()
    agenda.push(5, 0, nothing)

    assert agenda.pop(5) is None
    assert (agenda.earliest_ns(), len(agenda), repr(agenda)) == (5, 1, "<Agenda of 1>")
    assert agenda.pop(6) == (5, 0, nothing)
    assert (agenda.earliest_ns(), agenda.pop(6)) == (None, None)


def test_what_waits_for_itself_is_garbage() -> None:
    class Waiting:
        def __init__(self) -> None:
            self.agenda = Agenda()
            self.agenda.push(1, 0, self.happen)

        def happen(self, _now_ns: int) -> None:
            """Happen."""

    waiting = Waiting()
    seen = weakref.ref(waiting)

    del waiting
    _ = gc.collect()

    assert seen() is None
