"""The numbers of services: who has which, by the file beside this one."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta

from ei.errors import ConflictError

Number = Annotated[int, Meta(ge=1, le=2**32 - 1)]


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers from the first to the last."""

    first: Number
    last: Number


class Assigned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number, and whose it is."""

    number: Number
    name: str
    summary: str


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parsed `numbers.toml`."""

    version: Annotated[int, Meta(ge=1, le=1)]
    experimental: Range
    service: tuple[Assigned, ...]

    def name_of(self, number: int) -> str | None:
        """Return to whom a number was given."""
        return next((each.name for each in self.service if each.number == number), None)

    def number_of(self, name: str) -> int | None:
        """Return the number that a name was given."""
        return next((each.number for each in self.service if each.name == name), None)


@cache
def numbers() -> Numbers:
    """Return the numbers that are given."""
    content = (files("ei.registry") / "numbers.toml").read_bytes()
    return msgspec.toml.decode(content, type=Numbers)


def check_number(name: str, number: int, *, given: Numbers, taken: Mapping[str, int]) -> None:
    """Check that a service may have this number.

    Args:
        given: Numbers that the project gave.
        taken: Name to number of what the registry has approved already.

    Raises:
        ConflictError: It is that of another, or of nobody yet; says which it may have.
    """
    first, last = given.experimental.first, given.experimental.last
    own = given.number_of(name) or taken.get(name)
    others = {each: other for other, each in taken.items() if other != name}
    owner = given.name_of(number) or others.get(number)
    remedy = (
        f"Write id = {own} into its manifest."
        if own
        else (
            f"Write a free number from {first:#x} to {last:#x} into its manifest: those are for"
            " everybody. docs/reference/numbers.md says which are given."
        )
    )
    if owner not in {None, name}:
        raise ConflictError(f"number {number} of {name} belongs to {owner}", remedy=remedy)
    if own not in {None, number}:
        raise ConflictError(f"{name} has the number {own}, and not {number}", remedy=remedy)
    if owner is None and own is None and not first <= number <= last:
        raise ConflictError(f"number {number} of {name} was given to nobody", remedy=remedy)
