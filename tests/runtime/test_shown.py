"""What errors show of what a module gave: the beginning of its repr, whatever its length."""

import pytest

from ei.runtime.shown import MOST_CHARACTERS, shown
from ei.sdk import Address, AttachmentOf, Count, HoldPacket


@pytest.mark.parametrize(
    "value",
    [
        b"it's",
        "it's",
        7,
        None,
        (),
        (1,),
        [b"a", ("b", 2.5)],
        {"a": 1},
        Count("seen", 2),
        HoldPacket(AttachmentOf(Address(b"a" * 16)), timeout_s=1.0),
    ],
)
def test_what_is_short_is_shown_as_its_repr(value: object) -> None:
    assert shown(value) == repr(value)


class Counting(list[object]):
    """Counts what is read of it."""

    read = 0

    def __iter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204 of a list
        for each in super().__iter__():
            self.read += 1
            yield each


def nested(depth: int) -> object:
    value: object = ()
    for _ in range(depth):
        value = (value, value)
    return value


@pytest.mark.parametrize(
    "value", [bytes(10**7), "a" * 10**7, (7,) * 10**6, Count("a" * 10**7), nested(100)]
)
def test_c10_of_what_is_long_the_beginning_is_shown(value: object) -> None:
    assert len(shown(value)) == MOST_CHARACTERS


def test_c10_no_more_is_looked_at_than_is_shown() -> None:
    many = Counting([7] * 10_000)

    assert shown(many).startswith("[7, 7, 7")
    assert many.read < MOST_CHARACTERS


def test_what_contains_itself_is_shown() -> None:
    itself: list[object] = []
    itself.append(itself)

    assert shown(itself) == "[" * MOST_CHARACTERS
