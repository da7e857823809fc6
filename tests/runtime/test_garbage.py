"""Python looks for garbage seldom, and not in what was there before."""

import gc

from ei.runtime.garbage import SELDOM, collect_seldom


def test_what_was_there_is_not_looked_at_again() -> None:
    before = gc.get_threshold()
    kept: list[object] = [[]]
    try:
        collect_seldom()

        assert gc.get_threshold()[0] == SELDOM
        assert not any(each is kept for each in gc.get_objects())
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
