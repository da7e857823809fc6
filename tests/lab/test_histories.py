"""The judge of histories, on histories that a reader can judge."""

from ei.lab.histories import Operation, judge


def write(value: str, began_s: float, ended_s: float, outcome: str = "done") -> Operation:
    return Operation("write", "x", value, began_s, ended_s, outcome)  # type: ignore[arg-type]


def read(value: str | None, began_s: float, ended_s: float) -> Operation:
    return Operation("read", "x", value, began_s, ended_s)


def add(value: str, began_s: float, ended_s: float, outcome: str = "done") -> Operation:
    return Operation("add", "s", value, began_s, ended_s, outcome)  # type: ignore[arg-type]


def listed(began_s: float, ended_s: float, *values: str) -> Operation:
    return Operation("list", "s", None, began_s, ended_s, seen=frozenset(values))


def test_reads_that_see_the_last_write_are_right() -> None:
    assert judge([read(None, 0, 1), write("a", 2, 3), read("a", 4, 5), write("b", 6, 7)]) == []


def test_a_read_beside_a_write_may_see_either() -> None:
    assert judge([write("a", 0, 1), write("b", 2, 9), read("b", 3, 4), read("b", 5, 6)]) == []
    assert judge([write("a", 0, 1), write("b", 2, 9), read("a", 3, 4), read("b", 5, 6)]) == []


def test_a_read_that_sees_what_was_overwritten_is_wrong() -> None:
    assert judge([write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)])
    assert judge([write("a", 0, 1), read(None, 2, 3)])


def test_reads_that_go_back_are_wrong() -> None:
    history = [write("a", 0, 1), write("b", 2, 9), read("b", 3, 4), read("a", 5, 6)]

    assert judge(history) == ["x: a was read although b was written after it"]


def test_values_that_are_each_read_after_the_other_are_wrong() -> None:
    history = [write("a", 0, 9), write("b", 0, 9), read("a", 1, 2), read("b", 3, 4)]
    assert judge(history) == []

    assert judge([*history, read("a", 5, 6), read("b", 7, 8)]) == [
        "x: a and b were each read after the other was"
    ]


def test_a_write_of_unknown_outcome_may_come_late_or_never() -> None:
    unknown = write("b", 2, 3, "unknown")

    assert judge([write("a", 0, 1), unknown, read("a", 4, 5)]) == []
    assert judge([write("a", 0, 1), unknown, read("a", 4, 5), read("b", 6, 7)]) == []
    assert judge([write("a", 0, 1), unknown, read("b", 4, 5), read("a", 6, 7)])


def test_what_was_refused_or_never_written_is_not_to_be_read() -> None:
    assert judge([write("a", 0, 1, "refused"), read("a", 2, 3)]) == ["x: a was read, and refused"]
    assert judge([read("z", 2, 3)]) == ["x: z was read, and never written"]
    assert judge([read("a", 0, 1), write("a", 2, 3)]) == ["x: a was read before it was written"]


def test_a_set_keeps_what_was_added() -> None:
    assert judge([add("a", 0, 1), add("b", 0, 9, "unknown"), listed(2, 3, "a")]) == []
    assert judge([add("a", 0, 1), listed(2, 3)]) == ["s: a was added and acknowledged, and is lost"]


def test_a_set_has_nothing_that_nobody_added_and_does_not_go_back() -> None:
    assert judge([listed(2, 3, "z")]) == ["s: z is in it, and nobody had added it"]
    assert judge([add("a", 0, 1, "unknown"), listed(2, 3, "a"), listed(4, 5)]) == [
        "s: a was in it, and is lost"
    ]
