from ei.runtime.undo import UndoLog


def test_changes_are_taken_back_newest_first_down_to_a_mark() -> None:
    undone: list[str] = []
    undo = UndoLog()
    undo.add(undone.append, "first")
    mark = len(undo.steps)
    undo.add(undone.append, "second")
    undo.add(undone.append, "third")

    undo.undo_to(mark)

    assert undone == ["third", "second"]
    assert len(undo.steps) == 1


def test_what_was_kept_is_not_taken_back() -> None:
    undone: list[str] = []
    undo = UndoLog()
    undo.add(undone.append, "first")

    undo.clear()
    undo.undo_to(0)

    assert undone == []


def test_it_says_how_much_it_holds() -> None:
    assert repr(UndoLog()) == "<UndoLog 0 changes>"
