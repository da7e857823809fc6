"""Every word of the table has its meaning, and there are no others."""

from typing import get_args

from ei.sdk.knowledge import FACTS, PARTIES, Fact, Party


def test_each_word_is_explained() -> None:
    assert tuple(PARTIES) == get_args(Party)
    assert tuple(FACTS) == get_args(Fact)
