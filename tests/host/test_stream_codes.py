"""The numbers with which streams are given up, in words."""

import pytest

from ei.host.stream_codes import NO_LISTENER, meaning_of


@pytest.mark.parametrize(
    ("code", "whose", "word"),
    [
        (NO_LISTENER, "host", "no_listener"),
        (4, "node", "not_allowed"),
        (8, "node", "too_many_streams"),
        (10, "node", "too_late"),
    ],
)
def test_a_code_has_a_word_for_programs_and_a_meaning_for_people(
    code: int, whose: str, word: str
) -> None:
    found, meaning = meaning_of(code, of_node=whose == "node")

    assert found == word
    assert " " in meaning


def test_a_code_that_is_not_ours_comes_as_its_number() -> None:
    assert meaning_of(4_711, of_node=False) == ("reset", "code 4711")
    assert meaning_of(4_711, of_node=True) == ("reset", "code 4711")
