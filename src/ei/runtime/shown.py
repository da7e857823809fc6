"""What a module gave, as errors show it."""

from collections.abc import Iterator, Sequence
from typing import cast

import msgspec

MOST_CHARACTERS = 200


def shown(value: object) -> str:
    """Return the beginning of a value's repr.

    Only that much of it is looked at: the repr of 10 MB would take longer than an event may.
    """
    text = ""
    for part in _parts(value):
        text += part
        if len(text) >= MOST_CHARACTERS:
            break
    return text[:MOST_CHARACTERS]


def _parts(value: object) -> Iterator[str]:
    """Yield a repr piece by piece, none of which is empty."""
    match value:
        case bytes() | str():
            yield repr(value[:MOST_CHARACTERS])
        case msgspec.Struct():
            yield f"{type(value).__name__}("
            for number, name in enumerate(value.__struct_fields__):
                yield f"{', ' if number else ''}{name}="
                yield from _parts(getattr(value, name))
            yield ")"
        case tuple() | list():
            items = cast("Sequence[object]", value)
            first, last = ("(", ")") if isinstance(value, tuple) else ("[", "]")
            yield first
            for number, each in enumerate(items):
                if number:
                    yield ", "
                yield from _parts(each)
            yield f",{last}" if first == "(" and len(items) == 1 else last
        case _:
            yield f"{value!r:.200}"
