"""Names in what a topology lets services be configured with: `@NAME` is an address. Pure."""

from collections.abc import Callable, Mapping
from typing import cast

SIGN = "@"


def with_names(value: object, named: Callable[[str], str]) -> object:
    """Return a value of TOML in which each text `@NAME` is what `named` makes of the name."""
    match value:
        case str() if value.startswith(SIGN):
            return named(value.removeprefix(SIGN))
        case list():
            return [with_names(each, named) for each in cast("list[object]", value)]
        case dict():
            return configured(cast("dict[str, object]", value), named)
        case _:
            return value


def configured(table: Mapping[str, object], named: Callable[[str], str]) -> dict[str, object]:
    """Return a table of TOML with all its values, as `with_names`."""
    return {key: with_names(value, named) for key, value in table.items()}
